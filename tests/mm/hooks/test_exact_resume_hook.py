"""A resumed run is the run that was not interrupted."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from torch.utils.data import BatchSampler, DataLoader

from dugi_mae.mm.seeding import SampleIndex, seed_samples


class Record(Hook):
    """Keeps losses and batches; stops where it is told to, as a crash would."""

    priority = 'LOWEST'

    def __init__(self, stop: int | None = None) -> None:
        self.losses: dict[int, float] = {}
        self.batches: dict[int, torch.Tensor] = {}
        self.rates: dict[int, float] = {}
        self.stop = stop

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Write one iteration down."""
        self.losses[runner.iter] = outputs['loss'].item()
        self.batches[runner.iter] = torch.stack(list(data_batch['inputs']))
        self.rates[runner.iter] = runner.optim_wrapper.get_lr()['lr'][0]
        if runner.iter == self.stop:
            raise KeyboardInterrupt


class Numbers(list):
    """A data set, which, other than a list, takes attributes."""


def disturb() -> None:
    """Another history of the process."""
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)


@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_resumed_equals_uninterrupted(make_runner, loop):
    """Order, augmentation, dropout, schedule and weights are the same to the bit.

    With any number of workers.
    """
    whole = Record()
    runner = make_runner(loop, 0, [whole], name='whole')
    runner.train()
    for workers in (0, 2):
        before, after, name = Record(stop=7), Record(), f'cut_{workers}'
        with pytest.raises(KeyboardInterrupt):
            make_runner(loop, workers, [before], name=name).train()
        disturb()
        resumed = make_runner(loop, workers, [after], name=name, resume=True)
        resumed.train()
        assert list(after.losses) == list(range(6, 12))
        for part in (before, after):
            for step, loss in part.losses.items():
                assert torch.equal(part.batches[step], whole.batches[step])
                assert loss == whole.losses[step]
                assert part.rates[step] == whole.rates[step]
        for key, value in runner.model.state_dict().items():
            assert torch.equal(value, resumed.model.state_dict()[key])


def test_every_sample_is_another_draw(make_runner):
    """No two samples of a run get the same augmentation, no two iterations the same."""
    record = Record()
    make_runner('epoch', 0, [record]).train()
    for channel in range(3):
        drawn = torch.cat([batch[:, channel] for batch in record.batches.values()])
        assert len(drawn.unique()) == len(drawn) == 48


def test_an_index_travels():
    """A worker gets the place with the index."""
    index = pickle.loads(pickle.dumps(SampleIndex(3, (1, 5))))
    assert (index, index.place) == (3, (1, 5))


def test_a_seeded_sampler_can_be_copied():
    """A copy gives the same indices with the same places."""
    loader = DataLoader(Numbers([10, 11, 12]), shuffle=False)
    seed_samples(loader, 0)
    sampler = loader.batch_sampler.sampler
    places = [(index, index.place) for index in copy.copy(sampler)]
    assert places == [(0, (0, 0)), (1, (0, 1)), (2, (0, 2))]
    assert not hasattr(copy.deepcopy(sampler), 'set_epoch')


def test_indices_of_the_batch_sampler():
    """A batch sampler that makes up indices still works; its set_epoch is found."""

    class Doubling(BatchSampler):
        def __iter__(self):
            for batch in super().__iter__():
                yield [*batch, 0]

    class Numbered(list):
        def set_epoch(self, epoch):
            self.epoch = epoch

    sampler = Numbered([1, 2])
    batches = Doubling(sampler, batch_size=2, drop_last=False)
    loader = DataLoader(Numbers([10, 11, 12]), batch_sampler=batches, collate_fn=list)
    seed_samples(loader, 0)
    loader.batch_sampler.sampler.set_epoch(4)
    assert sampler.epoch == 4
    assert list(loader) == [[11, 12, 10]]
