"""The folder of a data set."""

from __future__ import annotations

from pathlib import Path

from dugi_mae.errors import DuGIError


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
