"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.checkpoints.io import expand_home, find_non_finite
from dugi_mae.errors import DuGIError
from dugi_mae.mm.atomic_backend import remove_unfinished
from dugi_mae.mm.resume import INTERRUPTED, check_intact, find_checkpoint
from dugi_mae.mm.resume_settings import apply_config, describe_run


def _init_worker(init: Callable[[int], None] | None, number: int) -> None:
    """Let a worker outlive the SIGTERM that a batch system sends to all processes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if init is not None:
        init(number)


def _end_with_parent() -> None:
    """Heed the SIGTERM of the training process alone, which ends its workers so."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


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
    outside is followed or removed. Weights that are not finite are not saved. Where the
    config has another schedule or optimizer the config wins
    (:func:`~dugi_mae.mm.resume_settings.apply_config`).

    SIGTERM, which a batch system sends before it kills, ends the training after the
    iteration at hand: ``interrupted.pth`` is saved and ``--resume`` continues with the
    next iteration. Of several processes the first one saves and ends, and the others
    end for want of it; FSDP, which saves with all of them, is left its last regular
    checkpoint. Registered in mmengine's root.

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
        self._put_handler_back: Callable[[], object] = lambda: None

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
        """Let it name nothing but files of this work dir, and the config win over it.

        Raises:
            DuGIError: If it holds weights alone, or another training than the config.
        """
        if not runner._resume:
            return
        path = runner._load_from
        if missing := {'meta', 'message_hub', 'state_dict'} - checkpoint.keys():
            raise DuGIError(
                f'checkpoint {path} holds no training to continue (no '
                f'{min(missing)}): start from its weights, load_from={path} without '
                '--resume'
            )
        info = checkpoint['message_hub']['runtime_info']
        steps = info.pop('keep_ckpt_ids', None)
        if isinstance(steps, list) and all(type(step) is int for step in steps):
            info['keep_ckpt_ids'] = steps
        for key in [key for key in info if key.startswith('best_ckpt')]:
            path = Path(runner.work_dir) / Path(str(info.pop(key))).name
            if path.is_file():
                info[key] = str(path)
        if isinstance(runner, Runner):
            apply_config(runner, checkpoint, runner._load_from)

    def before_train(self, runner: Runner) -> None:
        """Remove what a killed run left unfinished, and listen to SIGTERM."""
        super().before_train(runner)
        if is_main_process():
            remove_unfinished(runner.work_dir)
        if threading.current_thread() is threading.main_thread():
            self._listen()
            for loop in (runner.train_loop, runner.val_loop):
                if loop is not None and hasattr(signal, 'sigwaitinfo'):
                    loader = loop.dataloader
                    loader.worker_init_fn = partial(_init_worker, loader.worker_init_fn)

    def _listen(self) -> None:
        before = signal.getsignal(signal.SIGTERM)

        def stop(number: int, frame: FrameType | None) -> None:
            # The others go along with the first process, which saves. Further signals
            # are not heeded: a launcher passes on what a batch system sent to all.
            self._told_to_stop = is_main_process()

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
        if self._told_to_stop:
            self._save_interrupted(runner)

    def _save_interrupted(self, runner: Runner) -> None:
        """Save after an iteration and end the process."""
        runner.save_checkpoint(
            self.out_dir,
            INTERRUPTED,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(epoch=runner.epoch, iter=runner.iter + 1),
            backend_args=self.backend_args,
        )
        path = Path(self.out_dir) / INTERRUPTED
        self.file_backend.put_text(str(path), path.with_name('last_checkpoint'))
        print_log(f'SIGTERM: saved {path}, continue with --resume', 'current')
        self._put_handler_back()
        raise SystemExit(128 + signal.SIGTERM)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to save weights that no run could continue from."""
        if bad := find_non_finite(checkpoint['state_dict']):
            raise DuGIError(
                f'{bad} is not finite at iteration {runner.iter + 1} and not saved: '
                'continue with --resume from an earlier checkpoint, with a lower '
                'optim_wrapper.optimizer.lr'
            )
        if isinstance(runner, Runner):
            checkpoint['run'] = describe_run(runner)

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
