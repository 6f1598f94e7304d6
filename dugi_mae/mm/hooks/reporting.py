"""When hooks look at devices and at other processes."""

from __future__ import annotations

from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.runner import Runner


def is_reported(hook: Hook, runner: Runner, batch_idx: int) -> bool:
    """Whether an iteration is logged or saved, or ends an epoch or the training.

    Values are fetched from the device and exchanged between processes at these alone,
    as each time the host has to wait. All processes agree on them.

    Args:
        hook: Whoever asks.
        runner: Within its training loop.
        batch_idx: As hooks get it.
    """
    if hook.end_of_epoch(runner.train_dataloader, batch_idx):
        return True
    return hook.is_last_train_iter(runner) or any(
        hook.every_n_inner_iters(batch_idx, other.interval)
        if isinstance(other, LoggerHook)
        else hook.every_n_train_iters(runner, other.interval, other.save_begin)
        for other in runner.hooks
        if isinstance(other, LoggerHook)
        or (isinstance(other, CheckpointHook) and not other.by_epoch)
    )
