"""mmengine's local file backend with atomic writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from dugi_mae.errors import DuGIError
from dugi_mae.files import TEMPORARY_SUFFIX, atomic_write


@register_backend('dugi_atomic')
class AtomicBackend(LocalBackend):
    """mmengine's local file backend, safe against kills, crashes and full disks.

    A file is written under a temporary name in its own folder, synced to the disk and
    then renamed, which the operating system does in one step. Files to be removed stay
    until :meth:`remove_outdated`, so that a new file is complete before the one that it
    replaces goes. Chosen with ``backend_args=dict(backend='dugi_atomic')``.
    """

    def __init__(self) -> None:
        self._outdated: list[str] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes.

        Raises:
            DuGIError: If the disk is full or the folder cannot be written to; an older
                file of this name is left as it was.
        """
        try:
            atomic_write(obj, filepath)
        except DuGIError as error:
            raise DuGIError(
                f'{error}, then continue with --resume: earlier checkpoints are intact'
            ) from error

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text; raises as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)

    def remove(self, filepath: str | Path) -> None:
        """Mark a file for :meth:`remove_outdated`."""
        self._outdated.append(str(filepath))

    def remove_outdated(self, keep: Collection[str]) -> None:
        """Remove the marked files, except those written again since."""
        for path in self._outdated:
            if path not in keep:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
        self._outdated.clear()


def remove_unfinished(folder: str | Path) -> None:
    """Remove the unfinished files of killed processes."""
    for path in Path(folder).glob(f'.*{TEMPORARY_SUFFIX}'):
        with contextlib.suppress(OSError):
            path.unlink()
