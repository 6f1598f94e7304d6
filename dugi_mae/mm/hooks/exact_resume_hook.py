"""A resumed run does what the uninterrupted one would have done."""

from __future__ import annotations

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, Runner

from dugi_mae.mm.seeding import seed_iteration, seed_samples, skip_batches


def _train_sampler(runner: Runner):
    loader = runner.train_dataloader
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _sizes(runner: Runner) -> dict[str, int | None]:
    """What the order of samples depends on beside the seed."""
    loader = runner.train_dataloader
    return {
        'number of images': len(loader.dataset),
        'batch size': getattr(loader.batch_sampler, 'batch_size', None),
        'number of processes': runner.world_size,
    }


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make the randomness of training a function of seed and position.

    What a sample's augmentations draw follows from (seed, process, epoch, number in
    the epoch's order); what model and losses draw follows from (seed, process,
    iteration). Neither depends on workers, on their number, on validation or on
    pictures in between. Checkpoints carry the sampler's seed. Together with mmengine,
    which restores weights, optimizer, loss scaler, schedules and the place in the
    order, the losses after a resume are those of the uninterrupted run; to the bit on a
    CPU and with deterministic kernels.

    It holds for resumes from any iteration, at the same number of processes, of images
    and of samples in a batch; the log says what a resume repeats where it does not:
    with other numbers, and within an epoch of mmdet's ``AspectRatioBatchSampler``. With
    gradient accumulation a checkpoint must be saved where parameters are updated. It
    needs onedl-mmengine 0.10.12, whose loops start their workers after the resume.
    Any config can use it: ``custom_hooks=[dict(type='ExactResumeHook')]``. Registered
    in mmengine's root.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._resumed: dict | None = None
        self._key: tuple[int, ...] = ()
        self._batches_done = 0

    def before_train(self, runner: Runner) -> None:
        """Seed the samples, and leave out those of an epoch that has begun."""
        self._key = (runner.seed, runner.rank)
        if self._resumed is not None:
            if self._resumed['sampler_seed'] is not None:
                _train_sampler(runner).seed = self._resumed['sampler_seed']
        seed_samples(runner.train_dataloader, *self._key)
        if self._resumed is not None:
            self._continue_epoch(runner, self._resumed)

    def _continue_epoch(self, runner: Runner, resumed: dict) -> None:
        """Leave out what the interrupted epoch has used, or say what is repeated."""
        loader, done = runner.train_dataloader, resumed['batches_done']
        sizes = _sizes(runner)
        changed = [
            f'{name} ({resumed[name]} before, now {sizes[name]})'
            for name in sizes
            if resumed[name] != sizes[name]
        ]
        if changed:
            print_log(
                f'the run continues with another {" and ".join(changed)}: its order '
                'and augmentations are not those of the uninterrupted run',
                'current',
                logging.WARNING,
            )
        # Loops by iteration tell the sampler themselves where to continue.
        if not done or not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        if not changed and skip_batches(loader, done):
            self._batches_done = done
        else:
            print_log(
                f'epoch {runner.epoch + 1} starts again: {done} of its iterations are '
                'repeated',
                'current',
                logging.WARNING,
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None
    ) -> None:
        """Seed the iteration."""
        seed_iteration(*self._key, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Count the batches of the epoch."""
        self._batches_done += 1

    def after_train_epoch(self, runner: Runner) -> None:
        """The next epoch has used none."""
        self._batches_done = 0

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what the order of samples follows from."""
        seed = getattr(_train_sampler(runner), 'seed', None)
        checkpoint['random'] = dict(
            sampler_seed=seed if isinstance(seed, int) else None,
            batches_done=self._batches_done,
            **_sizes(runner),
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep it until training starts, if this is a resume."""
        if runner._resume:
            self._resumed = checkpoint.get('random')
