"""A training of a few weights on numbers, logs, and groups of two processes."""

from __future__ import annotations

import logging
import os
import random
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

import dugi_mae.mm.hooks  # noqa: F401  registers them


class NoisyNumbers(Dataset):
    """Samples whose augmentation draws from Python, NumPy and torch."""

    METAINFO: dict = {}

    def __init__(self, bad: tuple[int, ...] = ()) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> dict:
        noise = [random.random(), np.random.rand(), torch.rand(()).item(), float(index)]
        if index in self.bad:
            noise[0] = float('nan')
        sample = BaseDataElement(metainfo=dict(img_path=f'image_{index}.png'))
        return dict(inputs=torch.tensor(noise), data_samples=sample)


class NoisyModel(BaseModel):
    """A linear layer with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, inputs, data_samples=None, mode='loss'):
        """Squared output; validation draws random numbers too."""
        random.random(), np.random.rand(), torch.rand(3)
        if mode != 'loss':
            return [BaseDataElement()]
        images = torch.stack(inputs)
        value = self.layer(nn.functional.dropout(images, 0.3))
        return dict(loss=value.square().mean())


class RisingMetric(BaseMetric):
    """A score that gets better with every validation."""

    score = 0

    def process(self, data_batch, data_samples) -> None:
        """Keep something, as nothing at all would be an error."""
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict:
        """One more than before."""
        self.score += 1
        return dict(score=float(self.score))


@pytest.fixture
def make_runner(tmp_path) -> Iterator[Callable[..., Runner]]:
    """Make a runner of 4 epochs of 3 iterations, validated after each epoch."""
    made: list[Runner] = []

    def make(
        loop: str = 'epoch',
        workers: int = 0,
        hooks=(),
        bad=(),
        name: str = 'run',
        epochs: int = 4,
        **options,
    ) -> Runner:
        by_epoch = loop == 'epoch'
        length = dict(max_epochs=epochs) if by_epoch else dict(max_iters=3 * epochs)
        sampler = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
        loader = dict(
            batch_size=4,
            num_workers=workers,
            persistent_workers=workers > 0,
            dataset=NoisyNumbers(bad),
        )
        checkpoint = dict(type='SafeCheckpointHook', by_epoch=by_epoch)
        checkpoint |= dict(interval=1 if by_epoch else 3, max_keep_ckpts=2)
        checkpoint |= options.pop('checkpoint', {})
        # The runner seeds only after the model is built.
        torch.manual_seed(0)
        runner = Runner(
            model=NoisyModel(),
            work_dir=str(tmp_path / name),
            train_dataloader=dict(sampler=dict(type=sampler, shuffle=True), **loader),
            train_cfg=dict(
                by_epoch=by_epoch, val_interval=1 if by_epoch else 3, **length
            ),
            val_dataloader=dict(
                sampler=dict(type='DefaultSampler', shuffle=False), **loader
            ),
            val_cfg=dict(),
            val_evaluator=[RisingMetric()],
            optim_wrapper=options.pop(
                'optim_wrapper', dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9))
            ),
            param_scheduler=options.pop(
                'param_scheduler', dict(type='LinearLR', by_epoch=False, end=12)
            ),
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=options.pop('logger', 10)),
                checkpoint=checkpoint,
                exact_resume=dict(type='ExactResumeHook'),
                numerical_guard=dict(type='NumericalGuardHook', max_in_a_row=3),
            ),
            custom_hooks=list(hooks),
            randomness=dict(seed=7),
            log_level='WARNING',
            experiment_name=f'{tmp_path.name}{len(made)}',
            cfg=Config(),
            **options,
        )
        made.append(runner)
        return runner

    yield make
    # Persistent workers that are left to the garbage collector take 5 seconds each.
    for runner in made:
        for loop in (runner._train_loop, runner._val_loop):
            if workers := getattr(getattr(loop, 'dataloader', None), '_iterator', None):
                workers._shutdown_workers()


@pytest.fixture
def in_two_processes(tmp_path) -> Callable[[Callable[[int], None]], None]:
    """Call ``work(rank)`` in two forked processes of one gloo group."""

    def run(work: Callable[[int], None]) -> None:
        children = []
        for rank in range(2):
            child = os.fork()
            if not child:
                status = 1
                try:
                    store = f'file://{tmp_path}/store'
                    torch.distributed.init_process_group('gloo', store, None, 2, rank)
                    work(rank)
                    torch.distributed.barrier()
                    status = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(status)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]

    return run


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The messages of mmengine's current logger."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.fixture
def read_log() -> Callable[[Runner], str]:
    """Read what a runner has written to its log file."""
    return lambda runner: next(Path(runner.log_dir).glob('*.log')).read_text()
