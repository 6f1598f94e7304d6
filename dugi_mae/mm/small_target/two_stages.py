"""Training in two stages: other crops, another batch size, averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from mmengine.dataset import ConcatDataset
from mmengine.hooks import EMAHook
from mmengine.registry import DATA_SAMPLERS, HOOKS
from mmengine.runner import Runner
from mmseg.registry import DATASETS
from torch.utils.data import BatchSampler, Sampler

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.mm.seeding import move_index


@DATA_SAMPLERS.register_module()
class TwoStageBatchSampler(BatchSampler):
    """Batches of the first stage, then, without end, those of the second.

    What the stage changes is a function of the batch's number alone: a resumed run
    goes on as the uninterrupted one would. Indices of the second stage have the size
    of the set added, by which the set picks the pipeline, see
    :class:`~dugi_mae.mm.datasets.sirst.SIRSTDataset`.

    Args:
        sampler: Endless, such as mmengine's ``InfiniteSampler``.
        batch_size: Images in a batch of the first stage.
        second_batch_size: In one of the second.
        first_iters: Batches of the first stage.

    Raises:
        DuGIError: If a number is out of range.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        second_batch_size: int,
        first_iters: int,
    ) -> None:
        check_range('second_batch_size', second_batch_size, 1, float('inf'))
        check_range('first_iters', first_iters, 0, float('inf'))
        super().__init__(sampler, batch_size, drop_last=True)
        self.second_batch_size = second_batch_size
        self.first_iters = first_iters

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches."""
        indices = iter(self.sampler)
        for number in count():
            if number < self.first_iters:
                yield list(islice(indices, self.batch_size))
            else:
                batch = islice(indices, self.second_batch_size)
                yield [move_index(i, i + len(self.sampler)) for i in batch]


@DATASETS.register_module()
class JointDataset(ConcatDataset):
    """Several sets as one, each with the pipelines of both stages.

    Args:
        datasets: Such as :class:`~dugi_mae.mm.datasets.sirst.SIRSTDataset`, with a
            ``second_pipeline``. A set that is named twice counts twice.
        **kwargs: As in mmengine's ``ConcatDataset``.
    """

    def __getitem__(self, index: int) -> Any:
        """A sample of one of the sets, by its first or second pipeline."""
        stage, place = divmod(index, len(self))
        number, place = self._get_ori_dataset_idx(place)
        dataset = self.datasets[number]
        return dataset[move_index(index, place + stage * len(dataset))]


@HOOKS.register_module()
class AveragedRestartHook(EMAHook):
    """mmengine's ``EMAHook``; once the averaged weights become those that train on.

    That is after the first stage of :class:`TwoStageBatchSampler`. The optimizer starts
    anew there, with the learning rate of the schedule. It happens before the checkpoint
    of that iteration is written, so that a resume needs nothing. The arguments are
    those of ``EMAHook``.

    Raises:
        DuGIError: When training starts, if batches come from another sampler.
    """

    def before_train(self, runner: Runner) -> None:
        """Look up when the first stage ends."""
        super().before_train(runner)
        batches = runner.train_dataloader.batch_sampler
        if not isinstance(batches, TwoStageBatchSampler):
            raise DuGIError(
                'AveragedRestartHook needs two stages: set train_dataloader.'
                "batch_sampler.type='TwoStageBatchSampler', or take EMAHook"
            )
        self.first_iters = batches.first_iters

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Update the average, and go on from it at the end of the first stage."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if runner.iter + 1 == self.first_iters:
            self.src_model.load_state_dict(self.ema_model.module.state_dict())
            runner.optim_wrapper.optimizer.state.clear()
