"""Which checkpoint a run continues from."""

from __future__ import annotations

import logging
import re
import zipfile
import zlib
from pathlib import Path

from mmengine.logging import print_log

from dugi_mae.checkpoints.io import expand_home
from dugi_mae.errors import DuGIError

#: What reading a damaged zip file may raise; ValueError for a name with null bytes.
_DAMAGE = (
    *(OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    ValueError,
)
_NAME = re.compile(r'(epoch|iter)_\d+\.pth')


def is_intact(path: str | Path) -> bool:
    """Whether every byte of a checkpoint is as it was written.

    Reads the file and compares its checksums; nothing is unpickled.

    Args:
        path: A file of ``torch.save`` in its format since torch 1.6.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except _DAMAGE:
        return False


def find_checkpoint(folder: str | Path) -> str | None:
    """Find the checkpoint from which ``--resume`` continues.

    It is the one that ``last_checkpoint`` names, if that is intact, else the newest
    ``epoch_*.pth`` or ``iter_*.pth`` that is.

    Args:
        folder: The run's work dir.

    Returns:
        Its path, or ``None`` where nothing has been saved yet.

    Raises:
        DuGIError: If there are checkpoints and all are damaged.
    """
    folder = Path(folder)
    note = folder / 'last_checkpoint'
    last = Path(note.read_text(errors='replace').strip()) if note.is_file() else None
    if last is not None and is_intact(last):
        return str(last)
    found = [path for path in folder.glob('*.pth') if _NAME.fullmatch(path.name)]
    if last is None and not found:
        return None
    # A work dir may have been moved: the note then names a file that is not there.
    for path in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        if is_intact(path):
            what = (
                f'{note} is missing' if last is None else f'{last} is damaged or gone'
            )
            print_log(f'{what}: continuing from {path}', 'current', logging.WARNING)
            return str(path)
    raise DuGIError(
        f'work dir {folder} holds no intact checkpoint ({len(found)} damaged): restore '
        'one, or remove last_checkpoint and *.pth to start over'
    )


def check_intact(path: str | Path) -> None:
    """Raise unless a checkpoint is intact; addresses of other machines pass.

    Raises:
        DuGIError: If the file is damaged.
    """
    path = expand_home(path)
    if path.is_file() and not is_intact(path):
        raise DuGIError(
            f'checkpoint {path} is damaged or not of torch.save: name another one, or '
            'use --resume alone for the newest intact one in the work dir'
        )
