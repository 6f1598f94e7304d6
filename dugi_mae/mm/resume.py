"""Which checkpoint a run continues from."""

from __future__ import annotations

import logging
import re
import zipfile
import zlib
from pathlib import Path

from mmengine.logging import print_log

from dugi_mae.checkpoints.io import check_stored, read_state_dict
from dugi_mae.errors import DuGIError

#: What reading a damaged zip file may raise; ValueError for a name with null bytes.
_DAMAGE = (
    *(OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    ValueError,
)
#: The file that a run saves when it is told to stop.
INTERRUPTED = 'interrupted.pth'
_NAME = re.compile(rf'(epoch|iter)_\d+\.pth|{re.escape(INTERRUPTED)}')


def check_intact(path: str | Path) -> None:
    """Raise unless a run can continue from a checkpoint.

    Args:
        path: A file of ``torch.save`` in its format since torch 1.6.

    Raises:
        DuGIError: If a byte is not as it was written, the file cannot be read safely,
            or weights are not finite.
    """
    try:
        check_stored(path)
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except _DAMAGE as error:
        damaged = error
    if damaged is not None:
        raise DuGIError(
            f'checkpoint {path} is missing, damaged or not of torch.save: name another '
            'one, or use --resume alone for the newest intact one in the work dir'
        )
    read_state_dict(path)


def list_checkpoints(folder: str | Path) -> list[Path]:
    """Name the checkpoints of a work dir, intact or not, the best choice first.

    That is what ``last_checkpoint`` names, which may be missing, then the newest
    ``epoch_*.pth``, ``iter_*.pth`` or ``interrupted.pth``. Files outside the folder are
    never taken: a copied work dir still names the original's.
    """
    folder = Path(folder)
    found = [path for path in folder.glob('*.pth') if _NAME.fullmatch(path.name)]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    note = folder / 'last_checkpoint'
    if not note.is_file():
        return found
    # A damaged note may have several lines, messages have one.
    text = ' '.join(note.read_text(errors='replace').split())
    return [folder / Path(text).name, *found]


def find_checkpoint(folder: str | Path) -> str | None:
    """Find the checkpoint from which ``--resume`` continues.

    Args:
        folder: The run's work dir.

    Returns:
        The first of :func:`list_checkpoints` that is intact, or ``None`` where nothing
        has been saved yet.

    Raises:
        DuGIError: If there are checkpoints and none will do.
    """
    found = list_checkpoints(folder)
    if not found:
        return None
    note = Path(folder) / 'last_checkpoint'
    reasons = [] if note.is_file() else [f'{note} is missing']
    for path in found:
        try:
            check_intact(path)
        except DuGIError as error:
            reasons.append(str(error))
            continue
        if reasons:
            print_log(
                f'{reasons[0]}; continuing from {path}', 'current', logging.WARNING
            )
        return str(path)
    raise DuGIError(
        f'work dir {folder} holds no checkpoint to continue from ({reasons[-1]}): '
        'restore one, or remove last_checkpoint and *.pth to start over'
    )
