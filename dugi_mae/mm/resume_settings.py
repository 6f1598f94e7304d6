"""What a resumed run takes from its config, where the checkpoint has other settings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

from mmengine.dist import master_only
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler.param_scheduler import (
    ReduceOnPlateauParamScheduler,
    _ParamScheduler,
)
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from dugi_mae.errors import DuGIError, shorten

#: What of a scheduler's state follows from the others, or from the optimizer.
_DERIVED = ('last_step', '_last_value', '_global_step', 'base_values', 'verbose')
#: How an optimizer computes, not what.
_IMPLEMENTATION = ('foreach', 'fused', 'capturable', 'differentiable')
_START_OVER = 'or start a new run from its weights: load_from'


def describe_run(runner: Runner) -> dict:
    """What a checkpoint notes of the run that saves it."""
    wrapper = runner.optim_wrapper
    return dict(
        loop=type(runner.train_loop).__name__,
        optimizer=type(getattr(wrapper, 'optimizer', wrapper)).__name__,
        frozen=[n for n, p in _model(runner).named_parameters() if not p.requires_grad],
    )


def apply_config(runner: Runner, checkpoint: dict, path: object) -> None:
    """Let the config win over what a checkpoint says of schedule and optimizer.

    mmengine restores both from the checkpoint: a larger ``max_iters`` trains on at the
    end of the old schedule, another ``lr`` is ignored. Weights, moments and position
    stay those of the checkpoint. Where nothing differs nothing is changed, else the
    schedule is where it would be had it been so from the start, and the log says what
    is other than before. A schedule that waits for a metric stays as it was.

    Args:
        runner: Its model, optimizer and schedule are built, but not restored.
        checkpoint: What it restores next, changed in place.
        path: Its file, for messages.

    Raises:
        DuGIError: If the checkpoint's training cannot continue with this config: other
            weights, parameter groups, optimizer or kind of loop, or a schedule that
            leaves a longer run with a learning rate of 0.
    """
    _check_model(runner, checkpoint['state_dict'], path)
    length, done = _length(runner), 'epoch' if _by_epoch(runner) else 'iter'
    if checkpoint['meta'][done] >= getattr(runner, length):
        _warn(f'{path} is the end of this run', [f'raise train_cfg.{length} to go on'])
    saved = checkpoint.get('optimizer')
    if saved is None or not isinstance(runner.optim_wrapper, OptimWrapper):
        return
    changes = [
        *_run_changes(runner, checkpoint.get('run') or {}, saved, path),
        *_optimizer_changes(runner, saved),
        *_schedule_changes(runner, checkpoint),
    ]
    if not changes:
        return
    schedulers = runner.param_schedulers or []
    if any(isinstance(s, ReduceOnPlateauParamScheduler) for s in schedulers):
        _warn(
            f'{path} wins over the config, whose schedule waits for a metric', changes
        )
        return
    position = _position(runner, checkpoint)
    _step(runner, 0, position)
    for new, old in _groups(runner, saved):
        old.update((key, value) for key, value in new.items() if key != 'params')
    checkpoint['param_schedulers'] = [s.state_dict() for s in schedulers]
    _check_rest(runner, checkpoint, position, path)
    _warn(f'the config wins over {path}', changes)


@master_only
def _warn(what: str, changes: list[str]) -> None:
    print_log(f'{what}: {"; ".join(changes)}', 'current', logging.WARNING)


def _model(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _by_epoch(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _length(runner: Runner) -> str:
    """The setting of ``train_cfg``, and attribute of the runner, that ends the run."""
    return 'max_epochs' if _by_epoch(runner) else 'max_iters'


def _check_model(runner: Runner, saved: dict, path: object) -> None:
    """Raise unless the checkpoint has the weights of the model, and no others."""
    own = {name: tuple(v.shape) for name, v in _model(runner).state_dict().items()}
    found = {name.removeprefix('module.'): tuple(v.shape) for name, v in saved.items()}
    other = [name for name in {**own, **found} if own.get(name) != found.get(name)]
    if other:
        name = other[0]
        raise DuGIError(
            f'checkpoint {path} does not fit the config, {len(other)} tensors differ: '
            f'{name} is {found.get(name, "missing")} there and '
            f'{own.get(name, "missing")} in the model; use the config that it was '
            f'trained with, {_START_OVER}'
        )


def _run_changes(
    runner: Runner, before: dict, saved: dict, path: object
) -> Iterator[str]:
    """What is frozen other than before; raises where the training is another one."""
    now = describe_run(runner)
    before = {**now, **before}
    for key, setting in (
        ('loop', 'train_cfg'),
        ('optimizer', 'optim_wrapper.optimizer.type'),
    ):
        if before[key] != now[key]:
            raise DuGIError(
                f'checkpoint {path} was trained with {before[key]}, the config has '
                f'{now[key]}: set {setting} as it was, {_START_OVER}'
            )
    old, new = set(before['frozen']), set(now['frozen'])
    optimizer = runner.optim_wrapper.optimizer
    sizes, old_sizes = (
        [len(group['params']) for group in groups]
        for groups in (optimizer.param_groups, saved['param_groups'])
    )
    if sizes != old_sizes:
        cause = 'frozen_stages' if old != new else 'paramwise_cfg and constructor'
        raise DuGIError(
            f'checkpoint {path} has other parameter groups ({len(old_sizes)} of '
            f'{sum(old_sizes)} parameters) than the config ({len(sizes)} of '
            f'{sum(sizes)}): set {cause} as it was, {_START_OVER}'
        )
    for names, state in ((new - old, 'frozen'), (old - new, 'trained')):
        if names:
            yield f'now {state}: {shorten(sorted(names))}'


def _groups(runner: Runner, saved: dict) -> list[tuple[dict, dict]]:
    """Parameter groups of the config and of a checkpoint, mmengine's base one last."""
    old = [*saved['param_groups'], saved.get('base_param_settings')]
    return list(zip(runner.optim_wrapper.param_groups, old, strict=False))


def _optimizer_changes(runner: Runner, saved: dict) -> Iterator[str]:
    """Settings of the optimizer that no schedule changes."""
    scheduled = {s.param_name for s in runner.param_schedulers or ()} | {'lr'}
    if 'momentum' in scheduled:
        scheduled.add('betas')
    told = set()
    # The base group first: it has the settings that the config states.
    for new, old in reversed(_groups(runner, saved)):
        start = {'lr': [g.get('initial_lr', g['lr']) for g in (new, old)]}
        names = new.keys() & old.keys() - {'params', *scheduled, *_IMPLEMENTATION}
        pairs = start | {
            name: [new[name], old[name]]
            for name in sorted(names)
            if not name.startswith('initial_')
        }
        for name, (value, before) in pairs.items():
            if name not in told and _plain(value) != _plain(before):
                told.add(name)
                yield f'optim_wrapper.optimizer.{name} {before} -> {value}'


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _schedule_changes(runner: Runner, checkpoint: dict) -> Iterator[str]:
    """Settings of the schedulers, and the length of the run."""
    info = checkpoint['message_hub'].get('runtime_info', {})
    length = _length(runner)
    before, now = info.get(length), getattr(runner, length)
    if before is not None and before != now:
        yield f'train_cfg.{length} {before} -> {now}'
    states = checkpoint.get('param_schedulers') or []
    schedulers = runner.param_schedulers or []
    if len(states) != len(schedulers):
        yield f'param_scheduler of length {len(states)} -> {len(schedulers)}'
        return
    for number, (scheduler, old) in enumerate(zip(schedulers, states, strict=True)):
        if isinstance(scheduler, ReduceOnPlateauParamScheduler):
            continue
        new = scheduler.state_dict()
        for key in sorted((new.keys() | old.keys()) - {*_DERIVED}):
            if _plain(new.get(key)) != _plain(old.get(key)):
                yield (
                    f'param_scheduler.{number}.{key} {old.get(key)} -> {new.get(key)}'
                )


def _position(runner: Runner, checkpoint: dict) -> int:
    """Iterations that are done, in epochs of the length that they have now."""
    meta = checkpoint['meta']
    if _by_epoch(runner):
        done = (checkpoint.get('random') or {}).get('batches_done', 0)
        start = meta['epoch'] * len(runner.train_dataloader)
        # Of an epoch of another length mmengine begins the next one anew.
        if meta['iter'] != start + done:
            meta['iter'] = start
    return meta['iter']


def _step(runner: Runner, start: int, stop: int) -> None:
    """Step the schedulers as mmengine's hook does from one iteration to another."""
    by_epoch = _by_epoch(runner)
    length = len(runner.train_dataloader)
    schedulers = runner.param_schedulers or []
    with warnings.catch_warnings():
        # mmengine warns of a schedule that steps before its optimizer.
        warnings.simplefilter('ignore', UserWarning)
        for done in range(start + 1, stop + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch or (by_epoch and done % length == 0):
                    scheduler.step()


def _end(scheduler: _ParamScheduler) -> int:
    """The step from which a scheduler does nothing, or nothing that was asked for."""
    length = getattr(scheduler, 'T_max', None) or sum(getattr(scheduler, 'periods', ()))
    return min(scheduler.end, scheduler.begin + length) if length else scheduler.end


def _check_rest(runner: Runner, checkpoint: dict, position: int, path: object) -> None:
    """Raise if all that a run is made longer by would be trained at a rate of 0."""
    info = checkpoint['message_hub'].get('runtime_info', {})
    schedulers = [s for s in runner.param_schedulers or () if s.param_name == 'lr']
    if not schedulers or 'max_iters' not in info:
        return
    length, old = _length(runner), info['max_iters']
    epochs = info.get('max_epochs') or 0
    if _by_epoch(runner):
        old = epochs * len(runner.train_dataloader)
    if old >= runner.max_iters or any(
        _end(s) > (epochs if s.by_epoch else old) for s in schedulers
    ):
        return
    _step(runner, position, old)
    groups = runner.optim_wrapper.param_groups
    rates = [g['lr'] / g['initial_lr'] for g in groups if g['initial_lr']]
    if rates and max(rates) < 1e-4:
        raise DuGIError(
            f'train_cfg.{length}={getattr(runner, length)} is more than the '
            f'{info[length]} of checkpoint {path}, and param_scheduler ends there, at '
            f'{max(rates):.0e} of the learning rate: make it longer, too (its end, '
            f'T_max or periods), {_START_OVER}'
        )
