"""The configs of small targets read the sets as they are released."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('mmseg', reason='the small-target sets need mmsegmentation')

import toys
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import dugi_mae.mmseg  # noqa: F401  registers what the configs name

#: By config: data folder, images, masks, end of a mask's name, and the lists.
RELEASES = {
    'irstd-nano_sirst': ('sirst', 'images', 'masks', '_pixels0')
    + tuple(f'idx_427/{split}.txt' for split in ('train', 'val', 'test')),
    'irstd_dugi-mae-base_irstd1k': ('irstd1k', 'IRSTD1k_Img', 'IRSTD1k_Label', '')
    + ('trainval.txt', 'test.txt'),
    'irstd-nano_nudt-sirst': ('nudt-sirst', 'images', 'masks', '')
    + ('train.txt', 'test.txt'),
}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SIZE = (290, 270)


@pytest.fixture(params=RELEASES)
def config(request, tmp_path, monkeypatch, repo_root) -> Config:
    """A config, with a toy set laid out like the real one in its place."""
    folder, images, masks, suffix, *lists = RELEASES[request.param]
    root = tmp_path / folder
    for number, name in enumerate(lists):
        stems = [f'{number}_{i}' for i in range(6)]
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('\n'.join(stems))
        for stem in stems:
            label = np.zeros(SIZE, np.uint8)
            label[200:204, 30:33] = 255 * (stem[-1] != '0')  # the first has no target
            image = np.where(label, 200, 60) + toys.noise(*SIZE) % 11 - 5
            toys.write_image(root / images / f'{stem}.png', image.astype(np.uint8))
            toys.write_image(root / masks / f'{stem}{suffix}.png', label)
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    init_default_scope('mmseg')
    return Config.fromfile(repo_root / f'configs/small_target/{request.param}.py')


def test_training_crops(config):
    """Of either stage: grey, labels 0 and 1 on what is bright."""
    dataset = DATASETS.build(config.train_dataloader.dataset)
    for index in range(2 * len(dataset)):
        side = 128 if index < len(dataset) else 256
        sample = dataset[index]
        image, mask = sample['inputs'][0], sample['data_samples'].gt_sem_seg.data[0]
        assert sample['inputs'].shape == (1, side, side) and mask.shape == (side, side)
        assert set(mask.unique().tolist()) <= {0, 1}
        assert (image[mask == 1] > 100).float().mean() > 0.6 or not mask.any()
    info = [dataset.get_data_info(i % len(dataset))['img_path'] for i in (0, -1)]
    assert dataset[len(dataset)]['data_samples'].img_path == info[0]
    assert dataset[2 * len(dataset) - 1]['data_samples'].img_path == info[1]


@pytest.mark.parametrize('loader', LOADERS[1:])
def test_complete_images_are_scored(config, loader):
    """Images without target stay in, and all keep their own size and every pixel."""
    config[loader].dataset.update(split=None)
    dataset = DATASETS.build(config[loader].dataset)
    masks = [sample['data_samples'].gt_sem_seg.data for sample in dataset]
    assert [int(mask.sum()) for mask in masks] == [0, *[12] * 5]
    assert {sample['inputs'].shape for sample in dataset} == {(1, *SIZE)}


def test_nothing_is_trained_and_scored(config):
    """No image is in the training list and in another."""
    train, val, test = (
        {
            sample['img_path']
            for sample in DATASETS.build(config[loader].dataset).load_data_list()
        }
        for loader in LOADERS
    )
    assert train and not train & (val | test)
