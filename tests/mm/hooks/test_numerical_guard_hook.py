"""Losses that are not numbers."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.mm.hooks import NumericalGuardHook


@OPTIM_WRAPPERS.register_module()
class ScaledWrapper(OptimWrapper):
    """Mixed precision without a GPU: the first steps overflow."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**127)

    def backward(self, loss: Tensor, **kwargs) -> None:
        """As in AmpOptimWrapper."""
        super().backward(self.loss_scaler.scale(64 * loss), **kwargs)

    def step(self, **kwargs) -> None:
        """As in AmpOptimWrapper."""
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update()


def info(runner) -> dict:
    return runner.message_hub.runtime_info


def test_one_bad_image(make_runner, read_log):
    """Four of twelve iterations are skipped, counted and logged with their files.

    The weights stay finite.
    """
    runner = make_runner(bad=(5,))
    runner.train()
    lines = [line for line in read_log(runner).splitlines() if 'is skipped' in line]
    assert len(lines) == 4 and all('image_5.png' in line for line in lines)
    assert info(runner)['skipped_iterations'] == 4
    assert 'amp_overflows' not in info(runner)
    assert torch.isfinite(runner.model.layer.weight).all()


def test_stops_after_some_in_a_row(make_runner):
    """The error is one line; the report names files, losses and iterations.

    Neither weights nor momentum have moved, though the iterations count.
    """
    runner = make_runner(bad=tuple(range(12)))
    before = runner.model.layer.weight.clone()
    with pytest.raises(DuGIError, match='not finite 3 times in a row') as caught:
        runner.train()
    assert '\n' not in str(caught.value)
    report = json.loads((Path(runner.work_dir) / 'non_finite_batches.json').read_text())
    assert [batch['iteration'] for batch in report] == [1, 2, 3]
    files = [path for batch in report for path in batch['paths']]
    assert sorted(files) == sorted(f'image_{i}.png' for i in range(12))
    assert 'nan' in report[0]['losses']
    assert torch.equal(runner.model.layer.weight, before)
    assert not runner.optim_wrapper.optimizer.state
    assert runner.optim_wrapper.inner_count == 3


def test_counts_go_on_after_a_resume(make_runner):
    """The count is part of the checkpoint: two epochs and two more skip four."""
    runner = make_runner(bad=(5,), epochs=2)
    runner.train()
    assert info(runner)['skipped_iterations'] == 2
    resumed = make_runner(bad=(5,), resume=True)
    resumed.train()
    assert info(resumed)['skipped_iterations'] == 4


def test_overflow_is_told_apart(make_runner):
    """A step that the scaler skips is counted as overflow and never stops training.

    The counts are fetched where the logger writes.
    """
    wrapper = dict(type='ScaledWrapper', optimizer=dict(type='SGD', lr=1e-5))
    runner = make_runner(optim_wrapper=wrapper, bad=(5,))
    runner.train()
    scale = runner.optim_wrapper.loss_scaler.get_scale()
    assert 1 < info(runner)['amp_overflows'] == 127 - math.log2(scale)
    assert info(runner)['skipped_iterations'] == 4


def make_wrapper(device: str = 'cpu') -> tuple[nn.Parameter, OptimWrapper]:
    """One weight with its guarded optimizer."""
    weight = nn.Parameter(torch.ones(3, device=device))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=0.1, momentum=0.9))
    guard(wrapper, nn.Module())
    return weight, wrapper


def guard(wrapper: OptimWrapper, model: nn.Module) -> None:
    """Put the guard on, as at the start of a training."""
    runner = SimpleNamespace(optim_wrapper=wrapper, model=model)
    NumericalGuardHook().before_train(runner)


def test_training_again_has_one_guard(monkeypatch):
    """The optimizer is not wrapped once more at each ``train()``."""
    calls = []
    module = 'dugi_mae.mm.hooks.numerical_guard_hook'
    monkeypatch.setattr(f'{module}.all_reduce', lambda *args: calls.append(args))
    weight, wrapper = make_wrapper()
    for _ in range(3):
        guard(wrapper, nn.Module())
    wrapper.update_params(weight.sum())
    assert len(calls) == 1


@pytest.mark.gpu
def test_a_gpu_is_not_waited_for():
    """Neither the check nor the skipped step drains the queue of the device."""
    weight, wrapper = make_wrapper('cuda')
    wrapper.update_params(weight.sum())  # what is set up at first may wait
    factors = torch.tensor([1.0, float('nan'), 1.0], device='cuda')
    before = weight.detach().clone()
    torch.cuda.set_sync_debug_mode('error')
    try:
        for factor in factors:
            wrapper.update_params(weight.sum() * factor)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    # Velocities 1.9 and 2.71; the step between them is left out.
    torch.testing.assert_close(before - weight.detach(), torch.full_like(before, 0.461))


def test_accumulated_gradients_survive(make_runner):
    """Skipping the iteration that would update still uses the gradients so far."""
    wrapper = dict(accumulative_counts=3, optimizer=dict(type='SGD', lr=1e-3))
    runner = make_runner(bad=(5,), optim_wrapper=wrapper)
    before = runner.model.layer.weight.clone()
    runner.train()
    assert info(runner)['skipped_iterations'] == 4
    assert not torch.equal(runner.model.layer.weight, before)
    assert all(p.grad is None for p in runner.model.parameters())


#: What is added to the loss; that of the square root is finite, its gradient is not.
TROUBLE = dict(
    none=lambda output: 0.0,
    loss=lambda output: float('nan'),
    gradients=lambda output: (0 * output.sum()).sqrt(),
)


@pytest.mark.parametrize('trouble', ['loss', 'gradients'])
def test_nothing_of_a_skipped_iteration_stays(trouble):
    """Weights, optimizer and running statistics are those of the good batches alone."""

    def train(*troubles: str) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model, batch = nn.BatchNorm1d(2), torch.randn(8, 2)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        wrapper = OptimWrapper(optimizer)
        hook = NumericalGuardHook()
        runner = SimpleNamespace(optim_wrapper=wrapper, model=model)
        hook.before_train(runner)
        for number, kind in enumerate(troubles):
            hook.before_train_iter(runner, number)
            output = model(batch)
            wrapper.update_params(output.square().mean() + TROUBLE[kind](output))
        steps = optimizer.state[model.weight]['step']
        return dict(model.state_dict()) | {'steps': steps}

    found = train('none', trouble, 'none')
    for name, value in train('none', 'none').items():
        assert torch.equal(found[name], value), name


class PartlyShifted(nn.Module):
    """A linear layer, and a shift that only the first few samples see."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)
        self.shift = nn.Parameter(torch.ones(2))

    def forward(self, inputs: Tensor, count: int) -> Tensor:
        """Mean square of the outputs."""
        output = self.layer(inputs)
        if count:
            output = torch.cat([output[:count] + self.shift, output[count:]])
        return output.square().mean()


def test_accumulated_gradients_of_two_processes(in_two_processes):
    """An update whose last loss is bad on one process is the same on both.

    It is that of one process with all samples, even for a weight that the second
    process has not used.
    """
    batches = torch.randn(6, 4, 3)
    batches[2, 0] = float('nan')

    def train(model: nn.Module, parts: Tensor, count: int) -> list[Tensor]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        wrapper = OptimWrapper(optimizer, accumulative_counts=3)
        wrapper.initialize_count_status(model, 0, len(parts))
        guard(wrapper, model)
        for part in parts:
            with wrapper.optim_context(model):
                loss = model(part, count)
            wrapper.update_params(loss)
        return [p.tolist() for p in model.parameters()]

    expected = train(PartlyShifted(), batches, 2)

    def work(rank: int) -> None:
        model = MMDistributedDataParallel(
            PartlyShifted(), device_ids=None, find_unused_parameters=True
        )
        found = train(model, batches[:, 2 * rank : 2 * rank + 2], 2 - 2 * rank)
        first, second = all_gather_object(found)
        assert first == second
        for value, wanted in zip(found, expected, strict=True):
            torch.testing.assert_close(torch.tensor(value), torch.tensor(wanted))

    in_two_processes(work)


def test_files_of_the_process_at_fault(make_runner, in_two_processes, read_log):
    """Log and report name the batches whose own loss was bad, of all processes."""

    class Record(Hook):
        files: list[str] = []

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            self.files += [sample.img_path for sample in data_batch['data_samples']]

    def work(rank: int) -> None:
        # Only the first process logs and writes, and its own batches are good.
        runner = make_runner(bad=range(12) if rank else (), hooks=[Record()])
        with pytest.raises(DuGIError, match='not finite 3 times in a row'):
            runner.train()
        bad = all_gather_object(Record.files)[1]
        path = Path(runner.work_dir) / 'non_finite_batches.json'
        report = json.loads(path.read_text())
        assert [batch['iteration'] for batch in report] == [1, 2, 3]
        assert [path for batch in report for path in batch['paths']] == bad
        if rank == 0:
            assert re.findall(r'image_\d+\.png', read_log(runner)) == bad

    in_two_processes(work)


def test_bad_limit():
    """A limit that would never let training start is refused."""
    with pytest.raises(DuGIError, match='max_in_a_row=0'):
        NumericalGuardHook(max_in_a_row=0)
