"""A run that is told to stop."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils.data import BatchSampler

from dugi_mae.mm.resume import find_checkpoint


class Terminate(Hook):
    """Sends SIGTERM in an iteration, as a batch system does; keeps the losses."""

    priority = 'VERY_HIGH'

    def __init__(self, at: int | None = None, workers: bool = False) -> None:
        self.at = at
        self.workers = workers
        self.losses: dict[int, float] = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Write the loss down."""
        self.losses[runner.iter] = outputs['loss'].item()
        if runner.iter == self.at:
            workers = multiprocessing.active_children() if self.workers else []
            for pid in [worker.pid for worker in workers] + [os.getpid()]:
                os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize('at', [4, 5])
@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_a_requeued_run_goes_on(make_runner, loop, at):
    """SIGTERM saves after the iteration at hand; the rest is that of a run left alone.

    Also within an epoch and at its end.
    """
    handler = signal.getsignal(signal.SIGTERM)
    alone, before, after = Terminate(), Terminate(at), Terminate()
    whole = make_runner(loop, 0, [alone], name='alone')
    whole.train()
    with pytest.raises(SystemExit) as stopped:
        make_runner(loop, 0, [before], name='cut').train()
    assert stopped.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is handler
    resumed = make_runner(loop, 0, [after], name='cut', resume=True)
    folder = Path(resumed.work_dir)
    assert find_checkpoint(folder) == str(folder / 'interrupted.pth')
    resumed.train()
    assert list(before.losses) == list(range(at + 1))
    assert list(after.losses) == list(range(at + 1, 12))
    assert before.losses | after.losses == alone.losses
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key])
    assert Path(find_checkpoint(folder)).name != 'interrupted.pth'


def test_workers_outlive_it(make_runner):
    """A batch system sends it to all processes; no worker pulls the training down."""
    with pytest.raises(SystemExit):
        make_runner('iter', 2, [Terminate(4, workers=True)]).train()


@pytest.mark.parametrize('change', ['images', 'batch sampler'])
def test_what_is_repeated_is_said(make_runner, read_log, monkeypatch, change):
    """Where an epoch that has begun cannot be continued it starts again."""

    class Gathering(BatchSampler):
        """Gathers its batches in a way of its own."""

    with pytest.raises(SystemExit):
        make_runner('epoch', 0, [Terminate(4)]).train()
    after = Terminate()
    resumed = make_runner('epoch', 0, [after], resume=True)
    if change == 'images':
        data = type(resumed._train_dataloader['dataset'])
        monkeypatch.setattr(data, '__len__', lambda self: 8)
        expected = 'another number of images (12 before, now 8)'
    else:
        resumed._train_dataloader['batch_sampler'] = dict(
            type=Gathering, drop_last=False
        )
        expected = 'epoch 2 starts again: 2 of its iterations are repeated'
    resumed.train()
    assert expected in read_log(resumed)
    assert 'epoch 2 starts again' in read_log(resumed)
    assert len(after.losses) == (6 if change == 'images' else 9)
