"""Checkpoints that outlast a kill at any moment."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.mm.atomic_backend import AtomicBackend, remove_unfinished
from dugi_mae.mm.resume import check_whole, find_checkpoint
from dugi_mae.errors import DuGIError


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's checkpoint hook, with files that are whole or not there.

    Regular and best checkpoints and ``last_checkpoint`` are written under a temporary
    name, synced and renamed; ``last_checkpoint`` comes after the file that it names,
    and an outdated checkpoint goes only after that. Wherever a run is killed, a
    whole checkpoint is there, and ``last_checkpoint`` names one. A disk that is full
    raises :class:`DuGIError` and leaves what was saved before.

    A resumed run checks the file that it goes on from (:func:`find_checkpoint`): one
    that is damaged is replaced with the newest whole one, with a warning. Registered
    in mmengine's root.

    Args:
        **kwargs: As in :class:`mmengine.hooks.CheckpointHook`, without the arguments
            for remote storage.

    Raises:
        DuGIError: If remote storage is asked for.
    """

    def __init__(self, **kwargs) -> None:
        for name in ('backend_args', 'file_client_args'):
            if kwargs.pop(name, None):
                raise DuGIError(
                    f'SafeCheckpointHook takes no {name}, it writes local files: leave '
                    "it out or set default_hooks.checkpoint.type='CheckpointHook'"
                )
        super().__init__(backend_args=dict(backend='dugi_atomic'), **kwargs)

    def before_run(self, runner: Runner) -> None:
        """Choose a whole checkpoint to go on from, before the runner loads one."""
        # The runner keeps both without a public way to set them.
        if not runner._resume:
            return
        if runner._load_from is None:
            runner._load_from = find_checkpoint(runner.work_dir)
        else:
            check_whole(runner._load_from)

    def before_train(self, runner: Runner) -> None:
        """Clear away what a killed run left half written."""
        super().before_train(runner)
        if is_main_process():
            remove_unfinished(self.out_dir)
            remove_unfinished(runner.work_dir)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save, then point to it, then remove what is outdated."""
        backend: AtomicBackend = self.file_backend
        if self.max_keep_ckpts > 0 and (
            not self.keep_ckpt_ids or self.keep_ckpt_ids[-1] != step
        ):
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                backend.remove(backend.join_path(self.out_dir, name))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            backend.put_text(self.last_ckpt, Path(runner.work_dir) / 'last_checkpoint')
            self._remove_outdated()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best one; the one before stays until the new one is whole."""
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            self._remove_outdated()

    def _remove_outdated(self) -> None:
        best = [getattr(self, 'best_ckpt_path', None)]
        best += getattr(self, 'best_ckpt_path_dict', {}).values()
        self.file_backend.remove_outdated(keep=[self.last_ckpt, *best])
