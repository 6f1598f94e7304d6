"""What a config says of a data set: its folder, those below it, its classes."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dugi_mae.errors import DuGIError, check_choice


def check_named(root: str | Path) -> Path:
    """The folder of a set; ``''``, which as a path is the working folder, is none."""
    if not str(root):
        raise DuGIError("data_root is '': name the folder of the set, '.' for this one")
    return Path(root)


def check_data_root(root: str | Path) -> Path:
    """The folder of a set, which must exist."""
    root = check_named(root)
    if not root.is_dir():
        raise DuGIError(
            f'data folder {root} does not exist: correct data_root, or the environment '
            'variable DUGI_DATA where the config reads it'
        )
    return root


def check_prefix(prefix: dict | None, keys: Iterable[str]) -> dict[str, str]:
    """The folders that ``data_prefix`` names, which must be some of these.

    The hosts ignore other keys without a word and look in their default folders.
    """
    for key in prefix or {}:
        check_choice('key of data_prefix', key, keys)
    return dict(prefix or {})


def check_classes(classes: object, remedy: str) -> None:
    """Raise unless ``metainfo['classes']`` is a list of names, each of its own.

    A single text would be taken for one class per letter; ``remedy`` is the advice.
    """
    if not classes or isinstance(classes, str):
        raise DuGIError(
            f'metainfo.classes={reprlib.repr(classes)} is no list of names: {remedy}'
        )
    name, count = Counter(classes).most_common(1)[0]
    if count > 1:
        raise DuGIError(
            f'metainfo.classes has {name!r} {count} times: give each class its own name'
        )
