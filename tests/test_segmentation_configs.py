"""Every config for scenes of several classes loads, trains and predicts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

pytest.importorskip('mmseg')

from dugi_mae.models.backbones import resolve_arch

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    path.name
    for path in (ROOT / 'configs/segmentation').glob('*.py')
    if 'sirst' not in path.name
)
TOY_ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
TOY_VIT = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)
SIZE = (96, 128)
#: Folders of images and labels of each set as released or converted, and its lists.
LAYOUTS = {
    'msrs': [('train/ir', 'train/Segmentation_labels')]
    + [('test/ir', 'test/Segmentation_labels')],
    'soda': [('JPEGImages', 'SegmentationClassOne')],
    'mfnet': [('thermal', 'labels')],
    'my_set': [('images', 'labels')],
}
LISTS = ('soda/train_infrared', 'soda/test_infrared') + tuple(
    f'{folder}/{split}'
    for folder in ('mfnet/splits', 'my_set')
    for split in ('train', 'val', 'test')
)


@pytest.fixture(scope='module')
def toy_sets(tmp_path_factory) -> Path:
    """Two noise images with three classes in each set."""
    root, rng = tmp_path_factory.mktemp('sets'), np.random.RandomState(0)
    for name, folders in LAYOUTS.items():
        for pair in folders:
            for folder, values in zip(pair, (256, 3), strict=True):
                path = root / name / folder
                path.mkdir(parents=True)
                for stem in '12':
                    pixels = rng.randint(0, values, SIZE).astype(np.uint8)
                    cv2.imwrite(str(path / f'{stem}.png'), pixels)
    for name in LISTS:
        path = root / f'{name}.txt'
        path.parent.mkdir(exist_ok=True)
        path.write_text('1\n2\n')
    return root


@pytest.mark.parametrize('name', CONFIGS)
def test_config_trains_and_predicts(name, toy_sets, tmp_path, monkeypatch):
    """Two steps on toy data, then one round of scoring, and every tensor has moved."""
    monkeypatch.setenv('DUGI_DATA', str(toy_sets))
    config = Config.fromfile(ROOT / 'configs/segmentation' / name)
    model = config.model
    is_vit = 'VisionTransformer' in model.backbone.type
    model.backbone.update(arch=TOY_VIT if is_vit else TOY_ARCH, init_cfg=None)
    if is_vit:
        model.neck.embed_dims = 16
    model.decode_head.update(
        in_channels=[16] * 4 if is_vit else [8, 12, 16, 16], channels=8
    )
    model.auxiliary_head.update(in_channels=16, channels=8)
    model.data_preprocessor.size = SIZE
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
    config.train_dataloader.batch_size = 2
    for step in config.train_dataloader.dataset.pipeline:
        if step.type == 'RandomResize':
            step.scale = SIZE[::-1]
        elif step.type == 'RandomCrop':
            step.crop_size = SIZE
    config.train_cfg.update(max_iters=2, val_interval=100)
    config.param_scheduler = None
    config.work_dir = str(tmp_path)

    runner = Runner.from_cfg(config)
    runner.model.init_weights()  # drawing weights must not count as training them
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    after = runner.model.named_parameters()
    assert not [k for k, v in after if v.requires_grad and torch.equal(v, before[k])]
    assert {'mIoU', 'mAcc'} <= set(runner.test())


@pytest.mark.parametrize('name', ['msrs', 'soda', 'mfnet', 'index-png'])
def test_sets_give_one_channel(name, toy_sets, monkeypatch):
    """``channels=1`` of the reader is all that a one-channel model asks of a set."""
    monkeypatch.setenv('DUGI_DATA', str(toy_sets))
    path = ROOT / f'configs/segmentation/upernet_dugi-mae-tiny_{name}.py'
    config = Config.fromfile(path)
    for split in ('train', 'val', 'test'):
        settings = config[f'{split}_dataloader'].dataset
        settings.pipeline[0].channels = 1
        with DefaultScope.overwrite_default_scope('mmseg'):
            data = DATASETS.build(settings)
        assert {len(data[i % 2]['inputs']) for i in range(8)} == {1}


@pytest.mark.parametrize('name', CONFIGS)
def test_config_fits_at_full_size(name):
    """Heads take the encoder's widths; scratch configs, and only they, load nothing."""
    model = Config.fromfile(ROOT / 'configs/segmentation' / name).model
    is_vit = 'VisionTransformer' in model.backbone.type
    dims = [768] * 3 if is_vit else resolve_arch(model.backbone.arch).embed_dims
    assert list(model.decode_head.in_channels) == [*dims, dims[-1]]
    assert model.auxiliary_head.in_channels == dims[2]
    assert ('scratch' in name) == (model.backbone.init_cfg is None)
    assert model.data_preprocessor.get('pad_val', 0) == 0
