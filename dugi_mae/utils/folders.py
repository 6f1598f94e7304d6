"""Folders that results go to."""

from __future__ import annotations

from pathlib import Path

from dugi_mae.errors import DuGIError


def make_folder(path: str | Path) -> Path:
    """Make a folder, and those above it, unless it is there.

    Raises:
        DuGIError: If that is not possible, such as where a file has its name.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DuGIError(
            f'output folder {path} cannot be made ({error.strerror}): name another one'
        ) from None
    return path
