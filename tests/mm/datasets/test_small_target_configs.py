"""The data configs of small targets read the sets as they are released."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmseg', reason='the small-target sets need mmsegmentation')

import toys
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import dugi_mae.mmseg  # noqa: F401  registers what the configs name
from dugi_mae.mm.datasets.sirst import SIRSTDataset

#: By the end of the config's name: data folder, images, masks, end of a mask's name,
#: and the lists of train, val and test.
RELEASES = {
    'sirst': (
        'sirst',
        'images',
        'masks',
        '_pixels0',
        ('idx_427/train.txt', 'idx_427/val.txt', 'idx_427/test.txt'),
    ),
    'irstd1k': (
        'irstd1k',
        'IRSTD1k_Img',
        'IRSTD1k_Label',
        '',
        ('trainval.txt', 'test.txt', 'test.txt'),
    ),
    'nudt-sirst': (
        'nudt-sirst',
        'images',
        'masks',
        '',
        ('50_50/train.txt', '50_50/test.txt', '50_50/test.txt'),
    ),
}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SIZE = (290, 270)


def write_scene(image: Path, mask: Path, target: bool) -> None:
    """An image in colours of JPEG-like noise, with one target or none."""
    label = np.zeros(SIZE, np.uint8)
    if target:
        label[200:204, 30:33] = 255
    pixels = np.where(label, 200, 60)[..., None] + toys.noise(*SIZE, 3) % 11 - 5
    toys.write_image(image, pixels.astype(np.uint8))
    toys.write_image(mask, label)


@pytest.fixture(params=RELEASES)
def config(request, tmp_path, monkeypatch, repo_root) -> Config:
    """One data config, with a toy set laid out like the real one in its place."""
    folder, images, masks, suffix, lists = RELEASES[request.param]
    root = tmp_path / folder
    for number, name in enumerate(dict.fromkeys(lists)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        stems = [f'{number}_target', f'{number}_background']
        (root / name).write_text('\n'.join(stems))
        for stem in stems:
            write_scene(
                root / images / f'{stem}.png',
                root / masks / f'{stem}{suffix}.png',
                stem.endswith('target'),
            )
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    init_default_scope('mmseg')
    base = repo_root / 'configs/_base_/datasets'
    return Config.fromfile(base / f'small_target_{request.param}_256x256.py')


def test_training_crops(config):
    """Crops of 256 pixels: labels 0 and 1, on what is bright; equal channels."""
    dataset = DATASETS.build(config.train_dataloader.dataset)
    assert len(dataset) == 2
    for _ in range(5):
        sample, background = dataset[0], dataset[1]
        image, mask = sample['inputs'], sample['data_samples'].gt_sem_seg.data
        assert image.shape == (3, 256, 256)
        assert mask.shape == (1, 256, 256)
        assert (image == image[:1]).all()
        assert set(mask.unique().tolist()) <= {0, 1}
        assert (image[0][mask[0] == 1] > 100).float().mean() > 0.6 or not mask.any()
        assert not background['data_samples'].gt_sem_seg.data.any()


@pytest.mark.parametrize('loader', LOADERS[1:])
def test_complete_images_are_scored(config, loader):
    """Images without target stay in, and all keep their own size and every pixel."""
    dataset = DATASETS.build(config[loader].dataset)
    masks = [sample['data_samples'].gt_sem_seg.data for sample in dataset]
    assert [int(mask.sum()) for mask in masks] == [12, 0]
    assert {sample['inputs'].shape[1:] for sample in dataset} == {SIZE}
    assert masks[0].shape[1:] == SIZE


def test_nothing_is_trained_and_scored(config):
    """No image is in the training list and in another."""
    train, val, test = (
        {
            sample['img_path']
            for sample in DATASETS.build(config[loader].dataset).load_data_list()
        }
        for loader in LOADERS
    )
    assert not train & (val | test)


AUGMENTED = [
    dict(type='LoadImageFromFile', backend_args=dict(backend='infrared')),
    dict(type='LoadTargetMask'),
    dict(type='SmallTargetCopyPaste', prob=0.5),
    dict(type='SmallTargetResize', scale_range=(0.3, 1.5)),
    dict(type='SmallTargetCrop', crop_size=(64, 96), prob=1.0),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackSegInputs'),
]


def test_all_augmentation_keeps_targets(tmp_path):
    """Over hundreds of draws, every sample shows a target where its label says so."""
    write_scene(tmp_path / 'images/a.png', tmp_path / 'masks/a.png', target=True)
    init_default_scope('mmseg')
    dataset = SIRSTDataset(str(tmp_path), pipeline=AUGMENTED)
    for _ in range(200):
        sample = dataset[0]
        image, mask = sample['inputs'][0], sample['data_samples'].gt_sem_seg.data[0]
        assert image.shape == mask.shape == (64, 96)
        assert mask.sum() >= 6
        assert image[mask == 1].float().mean() > 120
        assert image[mask == 0].float().mean() < 70
