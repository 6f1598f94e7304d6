"""Checkpoints that survive a kill at any moment."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError
from dugi_mae.mm.atomic_backend import remove_unfinished
from dugi_mae.mm.resume import check_intact, find_checkpoint


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's checkpoint hook with atomic writes.

    Regular and best checkpoints are written under a temporary name, synced and renamed;
    ``last_checkpoint`` comes after the file that it names, and an outdated checkpoint
    is removed only after that. Wherever a run is killed, an intact checkpoint is there
    and ``--resume`` finds it. A full disk raises :class:`DuGIError` and leaves what was
    saved before.

    A resumed run checks the file that it continues from (:func:`find_checkpoint`): one
    that is damaged is replaced with the newest intact one, with a warning. Registered
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
        """Choose an intact checkpoint to continue from, before the runner loads one."""
        # The runner keeps both without a public way to set them.
        if not runner._resume:
            return
        if runner._load_from is None:
            runner._load_from = find_checkpoint(runner.work_dir)
        else:
            check_intact(runner._load_from)

    def before_train(self, runner: Runner) -> None:
        """Remove what a killed run left unfinished."""
        super().before_train(runner)
        if is_main_process():
            remove_unfinished(self.out_dir)
            remove_unfinished(runner.work_dir)

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
