"""Several processes, or several small batches, train what one large batch trains."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from torch import Tensor

from dugi_mae.utils.checkpoint import read_checkpoint


@pytest.fixture
def build_model(toy_pretrain_model) -> Callable[[], torch.nn.Module]:
    """Makes the toy pre-training model, always with the same weights."""
    config = Config.fromfile(toy_pretrain_model[0])

    def build() -> torch.nn.Module:
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            return MODELS.build(config.model).train()

    return build


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    """Gradient of every trained weight by name; none may be missing."""
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def in_two_processes(folder: Path, work: Callable[[int], None]) -> None:
    """Call ``work(rank)`` in two forked processes of one gloo group."""
    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            status = 1
            try:
                store = f'file://{folder}/store'
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


def test_gradients_of_two_processes_are_those_of_one(tmp_path, build_model):
    """Averaged over two halves of a batch they equal those of the whole.

    No parameter is unused: ``find_unused_parameters=False`` raises in the second step
    if one had no gradient in the first.
    """
    images = torch.randn(4, 3, 64, 64)
    whole = build_model()
    whole.loss(images)['loss'].backward()
    expected = gradients(whole)

    def work(rank: int) -> None:
        model = MMDistributedDataParallel(
            build_model(), device_ids=None, find_unused_parameters=False
        )
        for _ in range(2):
            model.zero_grad()
            model(images[rank::2], mode='loss')['loss'].backward()
        found = gradients(model.module)
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-7)

    in_two_processes(tmp_path, work)


def test_accumulated_gradients_are_those_of_a_large_batch(build_model):
    """Two batches with ``accumulative_counts=2`` move the weights as one of both."""
    images = torch.randn(4, 3, 64, 64)
    states = []
    for count in (1, 2):
        model = build_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        wrapper = OptimWrapper(optimizer, accumulative_counts=count)
        wrapper.initialize_count_status(model, 0, count)
        for part in images.chunk(count):
            with wrapper.optim_context(model):
                loss = model.loss(part)['loss']
            wrapper.update_params(loss)
        states.append(model.state_dict())
    start = build_model().state_dict()
    assert any(not torch.equal(start[name], states[0][name]) for name in start)
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-4, atol=1e-6)


CONFIG = """
_base_ = {base!r}
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        data_root={images!r},
        split=None,
        pipeline=[
            dict(type='LoadInfraredImage'),
            dict(type='CenterCrop', crop_size=64),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = val_cfg = val_evaluator = None
train_cfg = dict(max_epochs=2, val_interval=10)
param_scheduler = None
custom_hooks = []
# Adam would turn differences by rounding into steps of full size.
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='SGD', lr=0.05),
)
env_cfg = dict(cudnn_benchmark=False)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))
"""


@pytest.mark.slow
def test_a_distributed_run_that_was_stopped(
    tmp_path, toy_pretrain_model, repo_root, monkeypatch
):
    """Two processes, stopped after an epoch and resumed, train what one trains."""
    images = tmp_path / 'images'
    images.mkdir()
    for i in range(12):
        noise = np.random.RandomState(i).randint(0, 256, (64, 64)).astype(np.uint8)
        cv2.imwrite(str(images / f'{i:02}.png'), noise)
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(base=str(toy_pretrain_model[0]), images=str(images)))

    config = Config.fromfile(path)
    config.work_dir = str(tmp_path / 'one')
    config.train_dataloader.batch_size = 4
    Runner.from_cfg(config).train()

    for options in (['train_cfg.max_epochs=1'], ['train_cfg.max_epochs=2']):
        command = [
            *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
            *('--nproc_per_node', '2', repo_root / 'tools' / 'train.py', path),
            *('--launcher', 'pytorch', '--work-dir', tmp_path / 'two', '--resume'),
            *('--cfg-options', 'train_dataloader.batch_size=2', *options),
        ]
        subprocess.run(
            list(map(str, command)), check=True, timeout=400, capture_output=True
        )
    one, two = (
        read_checkpoint(str(tmp_path / name / 'epoch_2.pth'))['state_dict']
        for name in ('one', 'two')
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)
