"""The folder of a data set and those below it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dugi_mae.errors import DuGIError, check_choice


def check_data_root(root: str | Path) -> Path:
    """The folder of a set, if it is there.

    Raises:
        DuGIError: If not.
    """
    root = Path(root)
    if not root.is_dir():
        raise DuGIError(
            f'data folder {root} does not exist: correct data_root, or set DUGI_DATA '
            'to the folder around it where the config reads that'
        )
    return root


def check_data_prefix(prefix: object, keys: Iterable[str]) -> dict[str, str]:
    """The folders below ``data_root`` that a config names, some of those that may be.

    Args:
        prefix: Value of ``data_prefix``; ``None`` names none.
        keys: What it may name.

    Raises:
        DuGIError: If it is no dict, or a key or folder is none.
    """
    prefix = {} if prefix is None else prefix
    if not isinstance(prefix, dict):
        names = ', '.join(f'{key}=...' for key in keys)
        raise DuGIError(f'data_prefix={prefix!r}: give dict({names})')
    for key, folder in prefix.items():
        check_choice('key of data_prefix', key, keys)
        if not isinstance(folder, str):
            raise DuGIError(f'data_prefix.{key}={folder!r}: give the name of a folder')
    return dict(prefix)
