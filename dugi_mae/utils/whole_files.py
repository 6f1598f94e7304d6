"""Files that are there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

#: What the names of unfinished files end with.
TEMPORARY_SUFFIX = '.writing'


def write_whole(content: bytes, path: str | Path) -> None:
    """Write a file under a temporary name, sync it to the disk, then rename it.

    The operating system renames in one step: an older file of this name is there until
    the new one is whole.

    Args:
        content: All of it.
        path: The file; its folder is made.

    Raises:
        OSError: If the disk is full or the folder cannot be written; an older file is
            left as it was.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power failure, where folders can be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
