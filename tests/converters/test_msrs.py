"""The MSRS converter checks a copy of the set and writes its split down."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from dugi_mae.annotations.classes import MSRS, MSRS_PALETTE
from dugi_mae.converters.msrs import OFFICIAL, convert
from dugi_mae.errors import DuGIError


def test_classes():
    """Nine classes with their own colours; 1083 and 361 images."""
    assert len(MSRS) == len(set(MSRS_PALETTE)) == 9
    assert OFFICIAL == dict(train=1083, test=361)


def test_layout_and_lists(make_msrs, tmp_path):
    """OUT has the released layout as links, and both lists with their hashes."""
    root, out = make_msrs(), tmp_path / 'out'
    before = sorted(root.rglob('*'))
    lines = convert(root.parent, out, subset=True)  # the folder around it is fine
    assert (out / 'splits/train.txt').read_text() == '00001D\n00002N\n00010D\n'
    assert (out / 'splits/test.txt').read_text() == '00003D\n00004N\n'
    record = json.loads((out / 'splits/record.json').read_text())
    assert record['lists']['test']['images'] == 2
    for split in OFFICIAL:
        for folder in ('ir', 'Segmentation_labels'):
            assert (out / split / folder).resolve() == root / split / folder
    assert not (out / 'train' / 'vi').exists()
    assert sorted(root.rglob('*')) == before
    first = (out / 'splits/record.json').read_bytes()
    assert convert(root, out, subset=True) == lines
    assert (out / 'splits/record.json').read_bytes() == first


def test_counts(make_msrs, tmp_path):
    """Images, day and night, and the pixels of every class are printed."""
    lines = convert(make_msrs(), tmp_path / 'out', subset=True)
    stripe, images = 48 * 3, 3
    ground = 48 * 64 - 8 * stripe
    assert lines[0] == (
        f'train: 3 images (0 with nothing but unlabelled), pixels: unlabelled '
        f'{images * ground}, '
        + ', '.join(f'{name} {images * stripe}' for name in MSRS[1:])
    )
    assert lines[1] == 'train: 2 by day, 1 at night'
    assert lines[2].startswith('test: 2 images (1 with nothing but unlabelled)')


def spoil_value(root):
    path = root / 'train/Segmentation_labels/00002N.png'
    cv2.imwrite(str(path), np.full((48, 64), 9, np.uint8))


def spoil_colours(root):
    shutil.copy(
        root / 'test/Segmentation_visualize/00003D.png',
        root / 'test/Segmentation_labels/00003D.png',
    )


def spoil_size(root):
    path = root / 'train/Segmentation_labels/00002N.png'
    cv2.imwrite(str(path), np.zeros((48, 60), np.uint8))


def spoil_file(root):
    path = root / 'train/Segmentation_labels/00002N.png'
    path.write_bytes(path.read_bytes()[:40])


def spoil_chunk_name(root):
    path = root / 'train/Segmentation_labels/00002N.png'
    path.write_bytes(path.read_bytes().replace(b'IDAT', b'\xa1DAT'))


def copy_to_test(root):
    for folder in ('ir', 'Segmentation_labels'):
        shutil.copy(root / f'train/{folder}/00001D.png', root / f'test/{folder}')


def second_copy(root):
    for folder in ('ir', 'Segmentation_labels'):
        path = root / f'train/{folder}/00001D.png'
        shutil.copy(path, path.with_name('00001D (1).png'))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda root: shutil.rmtree(root / 'test'), 'has no test in it'),
        (
            lambda root: (root / 'train/Segmentation_labels/00002N.png').unlink(),
            '00002N of .*ir is not in .*Segmentation_labels',
        ),
        (
            lambda root: (root / 'train/ir/00002N.png').unlink(),
            '00002N of .*Segmentation_labels is not in .*train/ir',
        ),
        (spoil_value, '00002N.png has the value 9, but 9 classes have 0 to 8'),
        (spoil_colours, '00003D.png has pixels of the kind RGB: .* not colours'),
        (spoil_size, '00002N.png is 60x48 pixels, its image .* is 64x48'),
        (spoil_file, '00002N.png is damaged: copy it again'),
        (spoil_chunk_name, '00002N.png is damaged: copy it again'),
        (copy_to_test, '00001D is in both train and test'),
        (second_copy, r'00001D \(1\).png is not named as images of MSRS are'),
    ],
)
def test_bad_copy(make_msrs, tmp_path, spoil, message):
    """What is wrong is said in one line that names the file; nothing is written."""
    root = make_msrs()
    spoil(root)
    with pytest.raises(DuGIError, match=message) as caught:
        convert(root, tmp_path / 'out', subset=True)
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'out').exists()


def test_a_part_is_not_the_set(make_msrs, tmp_path):
    """Another number of images than the official one is an error unless asked for."""
    with pytest.raises(DuGIError, match='holds 3 images, the official split 1083'):
        convert(make_msrs(), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_source_is_not_written_to(make_msrs):
    """OUT in SRC is refused."""
    root = make_msrs()
    with pytest.raises(DuGIError, match='lies in SRC'):
        convert(root, root / 'out', subset=True)
