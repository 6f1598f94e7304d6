"""What happens when a loss or its gradients are not finite."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from dugi_mae.errors import DuGIError, check_range

from .reporting import is_reported


class _Flag:
    """A truth value on a device, copied to the host while the device works on."""

    def __init__(self, value: Tensor) -> None:
        self._value, self._copied = value, None
        if value.is_cuda:
            self._value = torch.empty_like(value, device='cpu', pin_memory=True)
            self._value.copy_(value, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()

    def __bool__(self) -> bool:
        if self._copied is not None:
            self._copied.synchronize()
        return bool(self._value)


def _paths(data_batch) -> list[str]:
    """Files of a batch, as far as its samples tell."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    return [str(getattr(sample, 'img_path', 'unknown')) for sample in samples or ()]


def _parameters(wrapper: OptimWrapper) -> list[nn.Parameter]:
    return [p for group in wrapper.optimizer.param_groups for p in group['params']]


def _average_gradients(wrapper: OptimWrapper) -> bool:
    """Give all processes the mean of the gradients that each has for itself.

    Returns:
        Whether there are any.
    """
    params = _parameters(wrapper)
    # A process may not have used a parameter that another has.
    used = torch.tensor([p.grad is not None for p in params], dtype=torch.int32)
    all_reduce(used, 'max')
    for index in used.nonzero().flatten().tolist():
        parameter = params[index]
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        all_reduce(parameter.grad, 'mean')
    return bool(used.any())


def _gradients_are_finite(wrapper: OptimWrapper) -> Tensor | int:
    """1 where all gradients are finite, else 0; no gradients are."""
    gradients = [p.grad for p in _parameters(wrapper) if p.grad is not None]
    if not gradients:
        return 1
    # What torch's loss scaler looks with: norms take seven times as long on a CPU.
    found = torch.zeros((), device=gradients[0].device)
    scale = torch.ones_like(found)
    torch._amp_foreach_non_finite_check_and_unscale_(gradients, found, scale)
    return (found == 0).int()


def _agree(finite: Tensor) -> _Flag:
    """Whether it is so on all processes."""
    finite = finite.clone()
    all_reduce(finite, 'min')
    return _Flag(finite)


@HOOKS.register_module()
class NumericalGuardHook(Hook):
    """Skip iterations whose loss or gradients are not finite; stop if they go on.

    Such an iteration updates nothing, neither weights nor the running statistics of
    norms: it is skipped on all processes together, counted and logged with the files of
    the process that had it. ``max_in_a_row`` of them end the training; files and losses
    of their bad batches are then in ``WORK_DIR/non_finite_batches.json``. With a loss
    scaler, gradients that overflow are not an error: the scaler skips the step and
    lowers its scale; such steps are counted apart, whenever the logger writes. The
    counts, ``skipped_iterations`` and ``amp_overflows``, are in the message hub's
    runtime info and go on after a resume.

    The host must know whether to take a step: it waits for the backward pass. With
    gradient accumulation it looks at the loss before that, which would spoil the
    gradients accumulated so far.

    Works with any :class:`mmengine.optim.OptimWrapper`. Registered in mmengine's root.

    Args:
        max_in_a_row: So many skipped iterations end the training.

    Raises:
        DuGIError: If ``max_in_a_row`` is less than 1, or when training is ended.
    """

    def __init__(self, max_in_a_row: int = 10) -> None:
        check_range('max_in_a_row', max_in_a_row, 1, 10**9)
        self.max_in_a_row = max_in_a_row
        self._own: Tensor | bool = True
        self._finite: _Flag | bool = True
        self._overflows: Tensor | int = 0
        self._in_a_row = 0
        self._batches: list[dict] = []
        self._statistics: list[Tensor] = []
        self._kept: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        """Watch over the optimizer wrapper, whichever it is."""
        wrapper = runner.optim_wrapper
        self._statistics = [
            buffer
            for module in runner.model.modules()
            if isinstance(module, _NormBase)
            for buffer in module.buffers(recurse=False)
        ]
        self._kept = [buffer.clone() for buffer in self._statistics]
        if isinstance(wrapper, OptimWrapper):
            # Below the guard of an earlier training are the methods of the class.
            for name in ('update_params', 'step'):
                vars(wrapper).pop(name, None)
            self._guard(wrapper)

    def _guard(self, wrapper: OptimWrapper) -> None:
        update, step = wrapper.update_params, wrapper.step
        scaler = getattr(wrapper, 'loss_scaler', None)
        scaled = scaler is not None and scaler.is_enabled()

        def update_params(loss: Tensor, *args, **kwargs) -> None:
            self._own = torch.isfinite(loss.detach()).all().int()
            if wrapper._accumulative_counts > 1:
                self._finite = _agree(self._own)
                if not self._finite:
                    leave_out()
                    return
            update(loss, *args, **kwargs)

        def leave_out() -> None:
            self._restore_statistics()
            # The wrapper counts iterations to know when accumulated gradients are due.
            wrapper._inner_count += 1
            # What was accumulated is each process's own until the backward pass of the
            # last iteration averages it, and that pass is left out here.
            if wrapper.should_update() and _average_gradients(wrapper):
                if scaled or _gradients_are_finite(wrapper):
                    take_step()
                wrapper.zero_grad()

        def take_step(**kwargs) -> None:
            # get_scale() would wait for the device.
            scale = None if scaler is None else scaler._scale
            before = scale.clone() if scale is not None else None
            step(**kwargs)
            if before is not None:
                self._overflows = self._overflows + (scaler._scale < before)

        def step_if_finite(**kwargs) -> None:
            if not scaled:
                self._own = self._own * _gradients_are_finite(wrapper)
            self._finite = _agree(self._own)
            if self._finite:
                take_step(**kwargs)
            else:
                self._restore_statistics()

        wrapper.update_params, wrapper.step = update_params, step_if_finite

    def _restore_statistics(self) -> None:
        if self._kept:
            torch._foreach_copy_(self._statistics, self._kept)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None
    ) -> None:
        """Keep the running statistics, which the forward pass updates."""
        if self._kept:
            torch._foreach_copy_(self._kept, self._statistics)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Count, and stop when enough is enough."""
        if is_reported(self, runner, batch_idx):
            self._report_overflows(runner)
        if self._finite:
            self._in_a_row = 0
            self._batches.clear()
            return
        iteration = runner.iter + 1
        losses = {name: value.tolist() for name, value in (outputs or {}).items()}
        batch = dict(iteration=iteration, losses=str(losses), paths=_paths(data_batch))
        count = self._count(runner, 'skipped_iterations', 1)
        for found in all_gather_object(None if self._own else batch):
            if found is None:
                continue
            self._batches.append(found)
            print_log(
                f'iteration {iteration} is skipped ({count} so far), its loss or '
                f'gradients are not finite: {found["losses"]}; files: '
                f'{", ".join(found["paths"])}',
                'current',
                logging.WARNING,
            )
        self._in_a_row += 1
        if self._in_a_row >= self.max_in_a_row:
            report = Path(runner.work_dir) / 'non_finite_batches.json'
            if runner.rank == 0:
                report.write_text(json.dumps(self._batches, indent=1) + '\n')
            raise DuGIError(
                f'the loss or its gradients were not finite {self._in_a_row} times in '
                f'a row, at iteration {iteration}: look at the files in {report}, or '
                'lower optim_wrapper.optimizer.lr'
            )

    def _report_overflows(self, runner: Runner) -> None:
        """Count the steps that the scaler has skipped since the last report."""
        new, self._overflows = int(self._overflows), 0
        if new:
            count = self._count(runner, 'amp_overflows', new)
            print_log(
                f'{new} of the iterations up to {runner.iter + 1} overflowed in half '
                f'precision; they are skipped and the scale is lowered ({count} so '
                'far)',
                'current',
            )

    @staticmethod
    def _count(runner: Runner, name: str, new: int) -> int:
        hub = runner.message_hub
        count = hub.runtime_info.get(name, 0) + new
        hub.update_info(name, count)
        return count
