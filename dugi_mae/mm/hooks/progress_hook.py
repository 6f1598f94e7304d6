"""A progress bar for people who watch a run."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from tqdm import tqdm


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show training and testing as progress bars on stderr.

    Meant for short runs at a terminal; logs are written as ever. Registered in
    mmengine's root.

    Args:
        description: What stands before the bar.
    """

    priority = 'VERY_LOW'

    def __init__(self, description: str = 'train') -> None:
        self.description = description
        self._bar: tqdm | None = None

    def _open(
        self, runner: Runner, total: int, description: str, done: int = 0
    ) -> None:
        self._bar = tqdm(
            total=total, initial=done, desc=description, disable=runner.rank != 0
        )

    def _close(self) -> None:
        self._bar.close()

    def before_train(self, runner: Runner) -> None:
        """Open the bar; a resumed run starts where it stopped."""
        self._open(runner, runner.max_iters, self.description, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Advance by one iteration and show the loss."""
        self._bar.update()
        if outputs and 'loss' in outputs:
            self._bar.set_postfix(loss=f'{outputs["loss"].item():.4f}', refresh=False)

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        self._close()

    def before_test(self, runner: Runner) -> None:
        """Open the bar."""
        self._open(runner, len(runner.test_dataloader), 'test')

    def after_test_iter(self, runner: Runner, batch_idx: int, *_, **__) -> None:
        """Advance by one batch."""
        self._bar.update()

    def after_test(self, runner: Runner) -> None:
        """Close the bar."""
        self._close()
