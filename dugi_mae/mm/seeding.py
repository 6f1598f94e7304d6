"""Randomness that is a function of where a run stands, not of how it got there."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler


def derive_seed(purpose: str, *key: int) -> int:
    """Hash a purpose and whole numbers of at least 0 to a seed of 32 bits.

    No two purposes share a seed, nor do keys of different lengths, which NumPy would
    fill up with zeros.
    """
    words = [len(key), *key, *purpose.encode()]
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def seed_iteration(*key: int) -> None:
    """Seed Python, NumPy and torch (all devices) for one training iteration."""
    seed = derive_seed('iteration', *key)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class SampleIndex(int):
    """An index into a data set that knows its place in the order of samples.

    Attributes:
        place: Epoch and number of the sample in it.
    """

    place: tuple[int, int]

    def __new__(cls, index: int, place: tuple[int, int]) -> SampleIndex:
        """Make an index with a place."""
        self = super().__new__(cls, index)
        self.place = place
        return self

    def __reduce__(self) -> tuple:
        return SampleIndex, (int(self), self.place)


def move_index(index: int, to: int) -> int:
    """Another index at the same place in the order, if the given one has a place."""
    return SampleIndex(to, index.place) if isinstance(index, SampleIndex) else to


class _PlacedSampler(Sampler):
    """A sampler whose indices know their place; for the rest the one it wraps."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self.skipped = 0
        #: How many samples the next iteration leaves out, as they have been used.
        self.used = 0
        if hasattr(sampler, 'skip'):
            # mmengine's loop tells the sampler itself where a resumed run goes on.
            sampler.skip = partial(self._skip, sampler.skip)

    def _skip(self, skip: Callable[[int], None], num_samples: int) -> None:
        self.skipped = num_samples
        skip(num_samples)

    def __getattr__(self, name: str) -> Any:
        # A copy is asked for methods before it has anything to look them up in.
        if name == 'sampler':
            raise AttributeError(name)
        return getattr(self.sampler, name)

    def __iter__(self) -> Iterator[SampleIndex]:
        epoch = getattr(self.sampler, 'epoch', 0)
        used, self.used = self.used, 0
        rest = itertools.islice(self.sampler, used, None)
        for number, index in enumerate(rest, self.skipped + used):
            yield SampleIndex(index, (epoch, number))

    def __len__(self) -> int:
        return len(self.sampler)


def _load_samples(dataset: Dataset, key: tuple[int, ...], indices: list) -> list:
    """Load one batch; what is drawn for a sample depends on its place alone."""
    samples = []
    for index in indices:
        # A batch sampler may add indices of its own: those draw as they always did.
        if isinstance(index, SampleIndex):
            seed = derive_seed('sample', *key, *index.place)
            random.seed(seed)
            np.random.seed(seed)
            torch.default_generator.manual_seed(seed)
            index = int(index)
        samples.append(dataset[index])
    return samples


def seed_samples(loader: DataLoader, *key: int) -> None:
    """Seed each sample of a loader by its epoch and number in the epoch's order.

    Call it before the loader is iterated over. Data set, pipeline, sampler and workers
    stay what they are: the sampler's indices carry their place, and the loader asks
    the data set for a batch through ``__getitems__``, as torch defines it. Loaders
    without batches and iterable data sets are left alone.

    Args:
        loader: Changed in place.
        *key: Whole numbers that tell runs and processes apart.
    """
    batches = loader.batch_sampler
    if hasattr(batches, 'sampler') and not isinstance(batches.sampler, _PlacedSampler):
        batches.sampler = _PlacedSampler(batches.sampler)
        loader.dataset.__getitems__ = partial(_load_samples, loader.dataset, key)


def skip_batches(loader: DataLoader, count: int) -> bool:
    """Let a seeded loader leave out its first batches, the next time alone.

    Args:
        loader: After :func:`seed_samples`.
        count: Number of batches.

    Returns:
        Whether it can: samplers that gather their batches in another way cannot.
    """
    batches = loader.batch_sampler
    if type(batches) is not BatchSampler:
        return False
    batches.sampler.used = count * batches.batch_size
    return True
