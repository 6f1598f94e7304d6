"""Checkpoints of a run that may be killed at any moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.mm.hooks import SafeCheckpointHook
from dugi_mae.mm.resume import is_intact


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth'))


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_saves_as_mmengine_does(make_runner, loop):
    """The last two, the best one and last_checkpoint, and nothing else."""
    runner = make_runner(loop, checkpoint=dict(save_best='score', rule='greater'))
    runner.train()
    folder = Path(runner.work_dir)
    last = {'epoch': 'epoch_{}.pth', 'iter': 'iter_{}.pth'}[loop]
    steps = {'epoch': (3, 4), 'iter': (9, 12)}[loop]
    best = f'best_score_{last.format(steps[-1])}'
    assert names(folder) == sorted([best, *map(last.format, steps)])
    assert (folder / 'last_checkpoint').read_text() == str(
        folder / last.format(steps[-1])
    )
    assert all(is_intact(path) for path in folder.glob('*.pth'))
    assert not list(folder.glob('.*'))


@pytest.mark.parametrize('call', range(2, 24))
def test_killed_in_any_write(make_runner, monkeypatch, call):
    """Whichever sync is the last, a whole checkpoint is named and a best one is there.

    One checkpoint is kept, so that removing it too early would leave none.
    """
    calls, sync = iter(range(1000)), os.fsync

    def spy(handle):
        if next(calls) >= call:
            raise Killed
        sync(handle)

    monkeypatch.setattr(os, 'fsync', spy)
    runner = make_runner(
        'iter', checkpoint=dict(max_keep_ckpts=1, save_best='score', rule='greater')
    )
    with pytest.raises(Killed):
        runner.train()
    folder = Path(runner.work_dir)
    note = folder / 'last_checkpoint'
    if note.exists():
        assert is_intact(note.read_text())
    assert any(is_intact(path) for path in folder.glob('iter_*.pth'))
    # From the first best on, there always is one.
    assert call < 6 or any(is_intact(path) for path in folder.glob('best_*.pth'))


def test_full_disk(make_runner, monkeypatch):
    """Training ends with one line; the checkpoints before it are whole and named."""
    replace, full = os.replace, 'epoch_3.pth'

    def no_space(source, target):
        if Path(target).name == full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, 'replace', no_space)
    runner = make_runner(checkpoint=dict(max_keep_ckpts=1))
    with pytest.raises(DuGIError, match=r'epoch_3.pth cannot be written \(No space'):
        runner.train()
    folder = Path(runner.work_dir)
    assert names(folder) == ['epoch_2.pth']
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'epoch_2.pth')


def test_resume_falls_back(make_runner, read_log):
    """A damaged last checkpoint is replaced with the one before; the run goes on.

    The log of the run says so.
    """
    runner = make_runner()
    runner.train()
    folder = Path(runner.work_dir)
    (folder / 'epoch_4.pth').write_bytes(b'PK')
    (folder / '.epoch_5.pth.1.writing').write_bytes(b'')
    resumed = make_runner(resume=True)
    resumed.train()
    assert resumed._load_from == str(folder / 'epoch_3.pth')
    assert f'continuing from {folder / "epoch_3.pth"}' in read_log(resumed)
    first, second = (r.model.layer.weight for r in (runner, resumed))
    assert torch.equal(first, second)
    assert is_intact(folder / 'epoch_4.pth')
    assert not list(folder.glob('.*'))


def test_resume_from_a_damaged_file(make_runner, tmp_path):
    """A file that was asked for by name is not replaced silently."""
    path = tmp_path / 'mine.pth'
    path.write_bytes(b'PK')
    runner = make_runner(resume=True, load_from=str(path))
    with pytest.raises(DuGIError, match='mine.pth is damaged'):
        runner.train()


def test_remote_storage():
    """Files elsewhere cannot be renamed: say which hook to use."""
    with pytest.raises(DuGIError, match='takes no backend_args.*CheckpointHook'):
        SafeCheckpointHook(backend_args=dict(backend='petrel'))
