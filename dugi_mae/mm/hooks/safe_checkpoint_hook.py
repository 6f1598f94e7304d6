"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType

import torch
from mmengine.dist import all_reduce, is_distributed, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.checkpoints.io import expand_home, find_non_finite
from dugi_mae.errors import DuGIError
from dugi_mae.mm.atomic_backend import remove_unfinished
from dugi_mae.mm.resume import INTERRUPTED, check_intact, find_checkpoint

from .reporting import is_reported


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's checkpoint hook with atomic writes.

    Regular and best checkpoints are written under a temporary name, synced and renamed;
    ``last_checkpoint`` comes after the file that it names, and an outdated checkpoint
    is removed only after that. Wherever a run is killed, an intact checkpoint is there
    and ``--resume`` finds it. A full disk raises :class:`DuGIError` and leaves what was
    saved before.

    A resumed run checks the file that it continues from (:func:`find_checkpoint`): one
    that is damaged is replaced with the newest intact one, with a warning. What a
    checkpoint says about other files counts by name, for files in the work dir: nothing
    outside is followed or removed. Weights that are not finite are not saved.

    SIGTERM, which a batch system sends before it kills, ends the training after the
    iteration at hand, several processes where the logger writes: ``interrupted.pth`` is
    saved and ``--resume`` continues with the next iteration. Registered in mmengine's
    root.

    Args:
        **kwargs: As in :class:`mmengine.hooks.CheckpointHook`, without ``out_dir`` and
            the arguments for remote storage.

    Raises:
        DuGIError: If another place than the work dir is asked for, or weights are not
            finite.
        SystemExit: With 143, as of a process that SIGTERM ended.
    """

    def __init__(self, **kwargs) -> None:
        for name in ('out_dir', 'backend_args', 'file_client_args'):
            if kwargs.pop(name, None):
                raise DuGIError(
                    f'SafeCheckpointHook takes no {name}, it writes to the work dir: '
                    "leave it out or set default_hooks.checkpoint.type='CheckpointHook'"
                )
        super().__init__(backend_args=dict(backend='dugi_atomic'), **kwargs)
        self._told_to_stop = False

    def before_run(self, runner: Runner) -> None:
        """Choose an intact checkpoint to continue from, before the runner loads one."""
        # The runner keeps both without a public way to set them.
        if not runner._resume:
            return
        if runner._load_from is None:
            runner._load_from = find_checkpoint(runner.work_dir)
        elif (path := expand_home(runner._load_from)).is_file():
            check_intact(path)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Let a checkpoint name nothing but files of this work dir."""
        if not runner._resume:
            return
        info = checkpoint['message_hub']['runtime_info']
        steps = info.pop('keep_ckpt_ids', None)
        if isinstance(steps, list) and all(type(step) is int for step in steps):
            info['keep_ckpt_ids'] = steps
        for key in [key for key in info if key.startswith('best_ckpt')]:
            path = Path(runner.work_dir) / Path(str(info.pop(key))).name
            if path.is_file():
                info[key] = str(path)

    def before_train(self, runner: Runner) -> None:
        """Remove what a killed run left unfinished, and listen to SIGTERM."""
        super().before_train(runner)
        if is_main_process():
            remove_unfinished(runner.work_dir)
        if threading.current_thread() is threading.main_thread():
            self._told_to_stop = False
            before = signal.getsignal(signal.SIGTERM)

            def stop(number: int, frame: FrameType | None) -> None:
                self._told_to_stop = True
                signal.signal(number, before)  # the second one ends it at once

            signal.signal(signal.SIGTERM, stop)
            self._put_handler_back = lambda: signal.signal(signal.SIGTERM, before)

    def after_train(self, runner: Runner) -> None:
        """Publish as mmengine does, and leave SIGTERM to whom it belonged."""
        self._put_handler_back()
        super().after_train(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Save as mmengine does, and when told to stop."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        told = self._told_to_stop
        if is_distributed() and is_reported(self, runner, batch_idx):
            anyone = torch.tensor(int(told))
            all_reduce(anyone, 'max')
            told = bool(anyone)
        elif is_distributed():
            return
        if told:
            self.save_interrupted(runner, runner.iter + 1)

    def save_interrupted(self, runner: Runner, done: int) -> None:
        """Save ``interrupted.pth`` and end the process.

        Args:
            runner: Between two iterations.
            done: Number of iterations done.
        """
        runner.save_checkpoint(
            self.out_dir,
            INTERRUPTED,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(epoch=runner.epoch, iter=done),
            backend_args=self.backend_args,
        )
        if is_main_process():
            path = Path(self.out_dir) / INTERRUPTED
            self.file_backend.put_text(str(path), path.with_name('last_checkpoint'))
            print_log(f'SIGTERM: saved {path}, continue with --resume', 'current')
        raise SystemExit(128 + signal.SIGTERM)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to save weights that no run could continue from."""
        if bad := find_non_finite(checkpoint['state_dict']):
            raise DuGIError(
                f'{bad} is not finite at iteration {runner.iter + 1} and not saved: '
                'continue with --resume from an earlier checkpoint, with a lower '
                'optim_wrapper.optimizer.lr'
            )

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save, sync the name of the newest file, then remove what is outdated."""
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            # mmengine has written it without a sync, which a power failure may undo.
            note = Path(runner.work_dir) / 'last_checkpoint'
            self.file_backend.put_text(self.last_ckpt, note)
            self._remove_outdated()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best one; the one before stays until the new one is written."""
        super()._save_best_checkpoint(runner, metrics)
        if self.save_best and is_main_process():
            self._remove_outdated()

    def _remove_outdated(self) -> None:
        best = [getattr(self, 'best_ckpt_path', None)]
        best += getattr(self, 'best_ckpt_path_dict', {}).values()
        self.file_backend.remove_outdated(keep=[self.last_ckpt, *best])
