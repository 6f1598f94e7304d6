"""Training in two stages, on synthetic scenes with the config of the recipe."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import dugi_mae.mmseg  # noqa: F401
from dugi_mae.errors import DuGIError
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.mm.datasets.sirst import SIRSTDataset
from dugi_mae.mm.small_target import (
    AveragedRestartHook,
    JointDataset,
    TwoStageBatchSampler,
)

CONFIG = Path(__file__).parents[3] / 'configs/small_target/irstd-nano_sirst.py'
#: Steps of the toy's two stages.
FIRST, SECOND = 4, 4


class Record(Hook):
    """Keeps what each iteration saw and gave; stops where it is told to."""

    priority = 'LOWEST'

    def __init__(self, stop: int | None = None) -> None:
        self.steps, self.stop = {}, stop

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Write one iteration down."""
        average = next(h for h in runner.hooks if isinstance(h, AveragedRestartHook))
        models = runner.model, average.ema_model.module
        self.steps[runner.iter] = (
            torch.stack(data_batch['inputs']),
            outputs['loss'].item(),
            runner.optim_wrapper.get_lr()['lr'][0],
            *(model.decode_head.net.conv_seg.weight.clone() for model in models),
        )
        if runner.iter == self.stop:
            raise KeyboardInterrupt


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('scenes')
    return write_dataset(folder, 20, height=72, width=96).labelled


def train(data: Path, work_dir: Path, record: Record, resume=False, workers=0) -> dict:
    """Run the config in toy sizes; the final weights."""
    config = Config.fromfile(CONFIG)
    config.work_dir, config.resume = str(work_dir), resume
    config.model.decode_head.widths = (2, 2, 4, 4, 4)
    loader = config.train_dataloader
    loader.update(num_workers=workers, persistent_workers=workers > 0, batch_size=4)
    loader.batch_sampler.update(second_batch_size=2, first_iters=FIRST)
    loader.dataset.data_root = str(data)
    for pipeline, side in (('pipeline', 32), ('second_pipeline', 64)):
        loader.dataset[pipeline][2].crop_size = (side, side)
    config.param_scheduler[0].end = config.param_scheduler[1].begin = 1
    config.param_scheduler[1].periods = [FIRST - 1, SECOND]
    config.train_cfg.max_iters = FIRST + SECOND
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.default_hooks.checkpoint.interval = 1
    runner = Runner.from_cfg(config)
    runner.register_hook(record)
    return runner.train().state_dict()


@pytest.fixture(scope='module')
def whole(data, tmp_path_factory) -> tuple[Record, dict]:
    """A run that nothing stops."""
    record = Record()
    return record, train(data, tmp_path_factory.mktemp('whole'), record)


def test_stages(whole):
    """Batches, crops and rates change; training goes on from the average."""
    record, _ = whole
    shapes = [tuple(step[0].shape) for step in record.steps.values()]
    assert shapes == [(4, 1, 32, 32)] * FIRST + [(2, 1, 64, 64)] * SECOND
    rates = [step[2] for step in record.steps.values()]  # of the next step
    assert rates[0] == pytest.approx(2e-3) and rates[FIRST - 2] < 1e-3
    assert rates[FIRST - 1] == pytest.approx(1e-3) and rates[-1] < 2e-4
    for number, (*_, weight, average) in record.steps.items():
        assert torch.equal(weight, average) == (number in (0, FIRST - 1))


@pytest.mark.parametrize(('stop', 'workers'), [(2, 0), (3, 0), (4, 2)])
def test_a_resume_is_exact(data, tmp_path, whole, stop, workers):
    """Before, at and after the change: to the bit what the whole run does."""
    record, final = whole
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path, Record(stop), workers=workers)
    after = Record()
    resumed = train(data, tmp_path, after, resume=True, workers=workers)
    assert list(after.steps) == list(range(stop + 1, FIRST + SECOND))
    for number, values in after.steps.items():
        for value, expected in zip(values, record.steps[number], strict=True):
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(expected))
    assert all(torch.equal(value, final[key]) for key, value in resumed.items())


def test_bad_arguments():
    """Sizes that make no batch are named."""
    with pytest.raises(DuGIError, match='second_batch_size=0'):
        TwoStageBatchSampler([0, 1], 2, second_batch_size=0, first_iters=1)


def test_restart_needs_the_two_stages(monkeypatch):
    """The hook says so where batches come from another sampler."""
    runner = SimpleNamespace(train_dataloader=DataLoader([0, 1]))
    monkeypatch.setattr(EMAHook, 'before_train', lambda hook, runner: None)
    with pytest.raises(DuGIError, match='TwoStageBatchSampler.* or take EMAHook'):
        AveragedRestartHook().before_train(runner)


def test_joint_sets(data):
    """An index is one image of one set; beyond the length, by the second pipeline."""
    mask = dict(type='LoadTargetMask')
    image = dict(
        type='LoadImageFromFile',
        color_type='grayscale',
        backend_args=dict(backend='infrared'),
    )
    settings = dict(
        data_root=str(data), pipeline=[image], second_pipeline=[image, mask]
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        sets = [
            SIRSTDataset(ann_file=f'idx_427/{part}.txt', **settings)
            for part in ('train', 'val', 'train')
        ]
    joint = JointDataset(sets)
    expected = [part[i]['img_path'] for part in sets for i in range(len(part))]
    assert [joint[i]['img_path'] for i in range(len(joint))] == expected
    for index, path in enumerate(expected):
        second = joint[len(joint) + index]
        assert second['img_path'] == path and 'gt_seg_map' in second
        assert 'gt_seg_map' not in joint[index]
