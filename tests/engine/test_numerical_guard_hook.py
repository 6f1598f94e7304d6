"""Losses that are not numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from dugi_mae.engine import NumericalGuardHook
from dugi_mae.errors import DuGIError


@OPTIM_WRAPPERS.register_module()
class ScaledWrapper(OptimWrapper):
    """Mixed precision without a GPU: every second step overflows."""

    class Scaler:
        """Halves its scale as GradScaler does."""

        scale = 1024.0

        def get_scale(self) -> float:
            """The scale now."""
            return self.scale

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = self.Scaler()

    def step(self, **kwargs) -> None:
        """Take every second step only."""
        if self.inner_count % 2:
            super().step(**kwargs)
        else:
            self.loss_scaler.scale /= 2


def info(runner) -> dict:
    return runner.message_hub.runtime_info


def test_one_bad_image(make_runner, caplog):
    """Four of twelve iterations are skipped and counted; the weights stay finite."""
    runner = make_runner(bad=(5,))
    runner.train()
    assert info(runner)['skipped_iterations'] == 4
    assert 'amp_overflows' not in info(runner)
    assert torch.isfinite(runner.model.layer.weight).all()


def test_a_skipped_iteration_changes_nothing(make_runner):
    """Neither weights nor momentum move, though the iteration counts."""
    runner = make_runner(bad=tuple(range(12)))
    before = runner.model.layer.weight.clone()
    with pytest.raises(DuGIError):
        runner.train()
    assert torch.equal(runner.model.layer.weight, before)
    assert not runner.optim_wrapper.optimizer.state
    assert runner.optim_wrapper.inner_count == 3


def test_stops_after_some_in_a_row(make_runner):
    """The error is one line; the report names files, losses and iterations."""
    runner = make_runner(bad=tuple(range(12)))
    with pytest.raises(DuGIError, match='not finite 3 times in a row') as caught:
        runner.train()
    assert '\n' not in str(caught.value)
    report = json.loads((Path(runner.work_dir) / 'non_finite_batches.json').read_text())
    assert [batch['iteration'] for batch in report] == [1, 2, 3]
    files = [path for batch in report for path in batch['paths']]
    assert sorted(files) == sorted(f'image_{i}.png' for i in range(12))
    assert 'nan' in report[0]['losses']


def test_counts_go_on_after_a_resume(make_runner):
    """The count is part of the checkpoint."""
    make_runner(bad=(5,)).train()
    resumed = make_runner(bad=(5,), resume=True)
    resumed.train()
    assert info(resumed)['skipped_iterations'] == 4


def test_overflow_is_told_apart(make_runner):
    """A step that the scaler skips is counted as overflow and never stops training."""
    wrapper = dict(type='ScaledWrapper', optimizer=dict(type='SGD', lr=1e-3))
    runner = make_runner(optim_wrapper=wrapper)
    runner.train()
    assert info(runner)['amp_overflows'] == 6
    assert 'skipped_iterations' not in info(runner)


def test_accumulated_gradients_survive(make_runner):
    """Skipping the iteration that would update still uses the gradients so far."""
    wrapper = dict(accumulative_counts=3, optimizer=dict(type='SGD', lr=1e-3))
    runner = make_runner(bad=(5,), optim_wrapper=wrapper)
    before = runner.model.layer.weight.clone()
    runner.train()
    assert info(runner)['skipped_iterations'] == 4
    assert not torch.equal(runner.model.layer.weight, before)
    assert all(p.grad is None for p in runner.model.parameters())


def test_bad_limit():
    """A limit that would never let training start is refused."""
    with pytest.raises(DuGIError, match='max_in_a_row=0'):
        NumericalGuardHook(max_in_a_row=0)
