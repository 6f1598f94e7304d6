"""Segmentation sets in the layouts they are released in, with a few random images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


def write(path: Path, pixels: np.ndarray) -> None:
    """Write an image; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def labels_of(size: tuple[int, int], num_classes: int) -> np.ndarray:
    """A label map with a stripe of every class, the first one widest."""
    labels = np.zeros(size, np.uint8)
    step = size[1] // (2 * num_classes)
    for value in range(1, num_classes):
        labels[:, value * step : (value + 1) * step] = value
    return labels


@pytest.fixture
def make_msrs(tmp_path) -> Callable[..., Path]:
    """Write MSRS, three training and two test images, the last one without objects."""

    def make(size: tuple[int, int] = (48, 64)) -> Path:
        root, rng = tmp_path / 'released' / 'MSRS', np.random.RandomState(0)
        for split, names in (
            ('train', ('00001D', '00002N', '00010D')),
            ('test', ('00003D', '00004N')),
        ):
            for name in names:
                grey = rng.randint(0, 256, size).astype(np.uint8)
                labels = labels_of(size, 9) * (name != '00004N')
                write(root / split / 'ir' / f'{name}.png', grey)
                write(root / split / 'vi' / f'{name}.png', np.dstack([grey] * 3))
                write(root / split / 'Segmentation_labels' / f'{name}.png', labels)
        visible = root / 'test' / 'Segmentation_visualize' / '00003D.png'
        write(visible, np.full((*size, 3), 64, np.uint8))
        return root

    return make


@pytest.fixture
def mfnet(tmp_path) -> Path:
    """MFNet: thermal in the fourth channel, lists with a mirrored copy."""
    root, rng = tmp_path / 'released' / 'ir_seg_dataset', np.random.RandomState(0)
    splits = dict(train=('00001D', '00002N'), val=('00003D',), test=('00004N',))
    for split, names in splits.items():
        for name in names:
            pixels = rng.randint(0, 256, (48, 64, 4)).astype(np.uint8)
            write(root / 'images' / f'{name}.png', pixels)
            write(root / 'labels' / f'{name}.png', labels_of((48, 64), 9))
        listed = [*names, '00001D_flip'] if split == 'train' else names
        (root / f'{split}.txt').write_text('\n'.join(listed))
    (root / 'test_night.txt').write_text('00004N\n')
    return root


@pytest.fixture
def soda(tmp_path) -> Path:
    """SODA: two columns in the lists, and second copies in them."""
    root = tmp_path / 'released' / 'InfraredSemanticLabel'
    for name in ('1', '2.a', '3'):
        write(root / 'JPEGImages' / f'{name}.jpg', np.full((48, 64, 3), 90, np.uint8))
        labels = labels_of((48, 64), 21)
        write(root / 'SegmentationClassOne' / f'{name}.png', labels)
    (root / 'train_infrared.txt').write_text('2.a 7\n1(2) 3\n\n1  0')
    (root / 'test_infrared.txt').write_text('3 1\n3~1 1\n')
    return root


@pytest.fixture
def irstd1k(tmp_path) -> Path:
    """IRSTD-1k: masks of one and of four channels, one image in no list."""
    root = tmp_path / 'released' / 'IRSTD-1k'
    for number in range(5):
        name, grey = f'XDU{number}.png', np.full((32, 40), 60, np.uint8)
        mask = np.zeros((32, 40), np.uint8)
        mask[4:6, 8:11] = 255 * (number != 3)
        if number == 1:  # opaque, so that alpha must not count as target
            mask = np.dstack([mask, mask, mask, np.full_like(mask, 255)])
        write(root / 'IRSTD1k_Img' / name, grey)
        write(root / 'IRSTD1k_Label' / name, mask)
    (root / 'trainval.txt').write_text('XDU0\r\nXDU1\r\n')
    (root / 'trainvaltest.txt').write_text('XDU0\nXDU1\nXDU2\nXDU3\n')
    return root
