"""MSRS's nine classes from the released tree to mIoU, on synthetic images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg', reason='the segmentation sets need mmsegmentation')

from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.evaluation import IoUMetric

from dugi_mae.converters.msrs import CLASSES, PALETTE, convert

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)


@pytest.fixture
def runner(make_msrs, tmp_path, repo_root) -> Runner:
    """UPerNet of the config in toy widths, on what the converter wrote."""
    out = tmp_path / 'converted'
    convert(make_msrs((480, 640)), out, subset=True)
    config = Config.fromfile(
        repo_root / 'configs/segmentation/upernet_dugi-mae-tiny_msrs.py'
    )
    model = config.model
    model.backbone.update(arch=ARCH, init_cfg=None)
    model.decode_head.update(in_channels=[8, 12, 16, 16], channels=8)
    model.auxiliary_head.update(in_channels=16, channels=8)
    model.data_preprocessor.size = (96, 128)
    for name, split in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        loader = config[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(out), ann_file=f'splits/{split}.txt')
    config.train_dataloader.batch_size = 2
    for step in config.train_dataloader.dataset.pipeline:
        if step.type == 'RandomResize':
            step.scale = (160, 120)
        if step.type == 'RandomCrop':
            step.crop_size = (96, 128)
    config.param_scheduler = None  # its warm-up alone is longer
    config.train_cfg.update(max_iters=2, val_interval=2)
    config.work_dir = str(tmp_path / 'work')
    return Runner.from_cfg(config)


def test_msrs_trains_and_is_scored(runner):
    """Two steps and the test split: mIoU and mAcc over nine classes, background too."""
    before = [p.clone() for p in runner.model.parameters()]
    runner.train()
    assert runner.iter == 2
    assert not all(map(torch.equal, before, runner.model.parameters()))
    runner.load_or_resume()
    metrics = runner.test()
    assert {'aAcc', 'mIoU', 'mAcc'} <= metrics.keys()
    assert runner.model.decode_head.conv_seg.out_channels == 9
    meta = runner.test_evaluator.dataset_meta
    assert tuple(meta['classes']) == CLASSES
    assert [*map(tuple, meta['palette'])] == list(PALETTE)


def test_mean_is_over_nine_classes():
    """A loop over the classes gives the same mIoU and mAcc, unlabelled included."""
    rng = np.random.RandomState(0)
    labels, predictions = rng.randint(0, 9, (2, 40, 50))
    labels[:5] = 255
    metric = IoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = dict(classes=CLASSES)
    sample = dict(
        pred_sem_seg=dict(data=torch.from_numpy(predictions)[None]),
        gt_sem_seg=dict(data=torch.from_numpy(labels)[None]),
    )
    metric.process({}, [sample])
    found = metric.evaluate(size=1)
    seen, ious, accuracies = labels != 255, [], []
    for value in range(9):
        is_label, is_prediction = (
            (pixels == value) & seen for pixels in (labels, predictions)
        )
        both = (is_label & is_prediction).sum()
        ious.append(both / (is_label | is_prediction).sum())
        accuracies.append(both / is_label.sum())
    assert found['mIoU'] == pytest.approx(100 * np.mean(ious), abs=0.01)
    assert found['mAcc'] == pytest.approx(100 * np.mean(accuracies), abs=0.01)
