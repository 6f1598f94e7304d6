"""Checkpoints of a run that may be killed at any moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from dugi_mae.checkpoints.io import read_checkpoint
from dugi_mae.errors import DuGIError
from dugi_mae.mm.hooks import SafeCheckpointHook
from dugi_mae.mm.resume import check_intact, find_checkpoint


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
    for path in folder.glob('*.pth'):
        check_intact(path)
    assert not list(folder.glob('.*'))


@pytest.mark.parametrize('call', range(2, 18))
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
        check_intact(note.read_text())
    assert find_checkpoint(folder)
    # From the first best on, there always is one.
    best = list(folder.glob('best_*.pth'))
    assert call < 6 or best
    for path in best:
        check_intact(path)


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
    check_intact(folder / 'epoch_4.pth')
    assert not list(folder.glob('.*'))


def test_resume_from_a_damaged_file(make_runner, tmp_path, monkeypatch):
    """A file that was asked for by name is not replaced silently; ``~`` is home."""
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'mine.pth').write_bytes(b'PK')
    runner = make_runner(resume=True, load_from='~/mine.pth')
    with pytest.raises(DuGIError, match=r'mine.pth is .*damaged') as caught:
        runner.train()
    assert '\n' not in str(caught.value)


def test_another_run_keeps_its_files(make_runner):
    """A run continued elsewhere removes and names nothing of the first one."""
    options = dict(max_keep_ckpts=1, save_best='score', rule='greater')
    first = make_runner('iter', epochs=2, checkpoint=options)
    first.train()
    folder = Path(first.work_dir)
    before = names(folder)
    last = folder / 'iter_6.pth'
    second = make_runner(
        'iter', name='second', checkpoint=options, resume=True, load_from=str(last)
    )
    second.val_evaluator.metrics[0].score = 2
    second.train()
    assert names(folder) == before
    assert names(Path(second.work_dir)) == ['best_score_iter_12.pth', 'iter_12.pth']


def test_a_checkpoint_removes_nothing_it_names(make_runner, tmp_path):
    """Neither as the best one so far nor as the step of an outdated one."""
    options = dict(max_keep_ckpts=1, save_best='score', rule='greater')
    first = make_runner('iter', epochs=2, checkpoint=options)
    first.train()
    precious = tmp_path / 'precious.pth'
    precious.touch()
    last = Path(first.work_dir) / 'iter_6.pth'
    content = read_checkpoint(last)
    info = content['message_hub']['runtime_info']
    info['keep_ckpt_ids'] = ['x/../../precious', 1, 2]
    (Path(first.work_dir) / 'iter_x').mkdir()
    info['best_ckpt'] = str(precious)
    content['message_hub']['log_scalars'] = {}
    torch.save(content, last)
    second = make_runner('iter', checkpoint=options, resume=True)
    second.val_evaluator.metrics[0].score = 9
    second.train()
    assert precious.is_file()


def test_weights_that_are_not_finite_are_not_saved(make_runner):
    """The newest checkpoint stays one that a run can continue from."""

    class Kill(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 4:
                runner.model.layer.bias.data.fill_(torch.inf)

    runner = make_runner('iter', hooks=[Kill()])
    with pytest.raises(DuGIError, match='layer.bias is not finite.*--resume'):
        runner.train()
    folder = Path(runner.work_dir)
    assert names(folder) == ['iter_3.pth']
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'iter_3.pth')


@pytest.mark.parametrize('key', ['backend_args', 'out_dir'])
def test_another_place(key):
    """Files elsewhere are not kept safe: say which hook to use."""
    with pytest.raises(DuGIError, match=f'takes no {key}.*CheckpointHook'):
        SafeCheckpointHook(**{key: 'somewhere'})
