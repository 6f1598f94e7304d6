"""Several processes train what one trains."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import Tensor

from dugi_mae.checkpoints.io import read_checkpoint
from dugi_mae.mm.build import build_from_config


@pytest.fixture
def build_model(toy_pretrain_model) -> Callable[[], torch.nn.Module]:
    """Makes the toy pre-training model, always with the same weights."""
    config = Config.fromfile(toy_pretrain_model[0])

    def build() -> torch.nn.Module:
        torch.manual_seed(0)
        return build_from_config(config).train()

    return build


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    """Gradient of every trained weight by name; none may be missing."""
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def test_gradients_of_two_processes_are_those_of_one(in_two_processes, build_model):
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

    in_two_processes(work)


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


@pytest.fixture
def toy_run(tmp_path, toy_pretrain_model) -> Path:
    """A config that trains the toy model on a dozen images."""
    images = toys.write_images(tmp_path / 'images', 12, height=64)
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(base=str(toy_pretrain_model[0]), images=str(images)))
    return path


@pytest.fixture
def fsdp_run(toy_run, repo_root) -> Config:
    """The same with what the FSDP config adds."""
    name = 'dugi-mae_convvit-base_4xb96-coslr-400e-fsdp_inf590k.py'
    fsdp = Config.fromfile(repo_root / 'configs/pretrain' / name)
    # A hook that runs the model in one process would wait for the others for ever.
    assert fsdp.custom_hooks == []
    config = Config.fromfile(toy_run)
    config.runner_type, config.strategy = fsdp.runner_type, fsdp.strategy
    config.strategy.model_wrapper.auto_wrap_policy.min_num_params = 500
    config.train_dataloader.batch_size = 4
    config.work_dir = str(toy_run.parent / 'fsdp')
    return config


def train_whole(toy_run: Path) -> dict[str, Tensor]:
    """Weights after two epochs in this process."""
    config = Config.fromfile(toy_run)
    config.work_dir = str(toy_run.parent / 'one')
    config.train_dataloader.batch_size = 4
    Runner.from_cfg(config).train()
    return weights_of(config.work_dir)


def weights_of(work_dir: str | Path) -> dict[str, Tensor]:
    """What the last checkpoint of the toy run holds."""
    return read_checkpoint(str(Path(work_dir) / 'epoch_2.pth'))['state_dict']


def assert_same_weights(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Equal but for the order of sums."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


def test_fsdp_takes_every_parameter(build_model):
    """FSDP refuses parameters without a dimension."""
    assert all(parameter.ndim for parameter in build_model().parameters())


def test_the_runner_of_fsdp_trains_the_same(toy_run, fsdp_run):
    """Hooks and checkpoints work with the flexible runner, here without sharding."""
    fsdp_run.strategy = dict(type='SingleDeviceStrategy')
    RUNNERS.build(fsdp_run).train()
    assert_same_weights(weights_of(fsdp_run.work_dir), train_whole(toy_run))


@pytest.mark.gpu
def test_sharded_training_is_the_same(toy_run, fsdp_run, repo_root):
    """One process of FSDP trains what plain training does."""
    path = toy_run.parent / 'fsdp.py'
    fsdp_run.dump(path)
    launch(repo_root, path, 1)
    found = {n: value.cpu() for n, value in weights_of(fsdp_run.work_dir).items()}
    assert_same_weights(found, train_whole(toy_run))


def launch(repo_root: Path, *arguments: object) -> None:
    """Train with ``torch.distributed.run``: config, number of processes, flags."""
    config, processes, *flags = arguments
    command = [
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *('--nproc_per_node', processes, repo_root / 'tools' / 'train.py', config),
        *('--launcher', 'pytorch', *flags),
    ]
    subprocess.run(list(map(str, command)), check=True, timeout=400)


#: Two seconds an iteration, in which all signals of a stop arrive, and a note of each.
SLOW_HOOK = """
import time

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SlowHook(Hook):
    def after_train_iter(self, runner, **kwargs):
        print('DONE', runner.iter, flush=True)

    def before_train_iter(self, runner, **kwargs):
        time.sleep(2)
"""
SLOW = """
_base_ = {base!r}
custom_imports = dict(imports=['dugi_mae.mmpretrain', 'slow_hook'])
custom_hooks = [dict(type='SlowHook')]
train_dataloader = dict(batch_size=2, num_workers=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize('whole_group', [True, False], ids=['all', 'launcher'])
def test_several_processes_are_told_to_stop(toy_run, repo_root, tmp_path, whole_group):
    """SIGTERM to the launcher, as by hand, or to all processes, as by a batch system.

    The launcher passes it on, so that all get it twice, in the middle of an iteration.
    The first one saves, the others go along until then and end in a line.
    """
    slow, work_dir, log = tmp_path / 'slow.py', tmp_path / 'two', tmp_path / 'log'
    slow.write_text(SLOW.format(base=str(toy_run)))
    (tmp_path / 'slow_hook.py').write_text(SLOW_HOOK)
    script = repo_root / 'tools' / 'dist_train.sh'
    command = ['bash', script, slow, '2', '--work-dir', work_dir]
    port = str(29400 + os.getpid() % 500)
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    environment = dict(PYTHON=sys.executable, PORT=port, PYTHONPATH=paths)
    with log.open('w') as output:
        run = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 200
        while 'DONE 0' not in log.read_text():
            assert run.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        (os.killpg if whole_group else os.kill)(run.pid, signal.SIGTERM)
        assert run.wait(100) != 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    text = log.read_text()
    assert f'SIGTERM: saved {work_dir}/interrupted.pth' in text
    assert 'another process of this run has ended' in text and '[rank' not in text
    done = read_checkpoint(work_dir / 'interrupted.pth')['meta']['iter']
    assert 1 <= done <= 2
    options = '--cfg-options', 'train_dataloader.batch_size=2'
    launch(repo_root, toy_run, 2, '--work-dir', work_dir, '--resume', *options)
    assert_same_weights(weights_of(work_dir), train_whole(toy_run))


@pytest.mark.slow
def test_a_distributed_run_that_was_stopped(toy_run, repo_root):
    """Two processes, stopped after an epoch and resumed, train what one trains."""
    work_dir = toy_run.parent / 'two'
    for epochs in (1, 2):
        options = ('train_dataloader.batch_size=2', f'train_cfg.max_epochs={epochs}')
        flags = ('--work-dir', work_dir, '--resume', '--cfg-options', *options)
        launch(repo_root, toy_run, 2, *flags)
    assert_same_weights(weights_of(work_dir), train_whole(toy_run))
