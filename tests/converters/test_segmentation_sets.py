"""MSRS, MFNet and IRSTD-1k in the layouts they are released in."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from released_sets import irstd1k, mfnet, msrs

from dugi_mae.annotations.classes import MSRS
from dugi_mae.converters import convert, segmentation_sets


def unchanged(path: Path) -> np.ndarray:
    """The pixels a file stores."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_msrs(tmp_path, monkeypatch):
    """OUT has the released layout as links, and both lists with their hashes."""
    root, out = msrs(tmp_path / 'src'), tmp_path / 'out'
    before = sorted(root.rglob('*'))
    lines = convert('msrs', root.parent, out, subset=True)
    assert segmentation_sets.MSRS_IMAGES == dict(train=1083, test=361)
    monkeypatch.setattr(segmentation_sets, 'MSRS_IMAGES', dict(train=3, test=2))
    assert (out / 'splits/train.txt').read_text() == '00001D\n00002N\n00010D\n'
    assert (out / 'splits/test.txt').read_text() == '00003D\n00004N\n'
    record = (out / 'splits/record.json').read_bytes()
    assert json.loads(record)['lists']['test']['images'] == 2
    for split in ('train', 'test'):
        for folder in ('ir', 'Segmentation_labels'):
            assert (out / split / folder).resolve() == root / split / folder
    assert sorted(root.rglob('*')) == before
    stripe, images = 48 * 3, 3
    listed = ', '.join(f'{name} {images * stripe}' for name in MSRS[1:])
    ground = images * (48 * 64 - 8 * stripe)
    assert lines[0] == f'train: 3 images, pixels: unlabelled {ground}, {listed}'
    assert convert('msrs', root, out) == lines
    assert (out / 'splits/record.json').read_bytes() == record


def test_mfnet(tmp_path):
    """New images are grey and equal the fourth channel; labels are linked.

    Mirrored copies are left out of the lists; parts of the test split come along.
    """
    source, out = mfnet(tmp_path / 'src'), tmp_path / 'out'
    convert('mfnet', source.parent, out)
    names = sorted(path.name for path in (out / 'thermal').iterdir())
    assert names == ['00001D.png', '00002N.png', '00003D.png', '00004N.png']
    for name in names:
        thermal = unchanged(source / 'images' / name)[..., 3]
        assert np.array_equal(unchanged(out / 'thermal' / name), thermal)
    assert (out / 'labels').resolve() == source / 'labels'
    assert (out / 'splits/train.txt').read_text() == '00001D\n00002N\n'
    assert (out / 'splits/test_night.txt').read_text() == '00004N\n'
    assert not (out / 'splits/test_day.txt').exists()


def test_mfnet_again(tmp_path):
    """A second run gives the same bytes, repairs what is broken, leaves no scraps."""
    source, out = mfnet(tmp_path), tmp_path / 'out'
    convert('mfnet', source, out)
    image = out / 'thermal' / '00001D.png'
    files, first = sorted(out.rglob('*')), image.read_bytes()
    image.write_bytes(first[:20])
    convert('mfnet', source, out)
    assert image.read_bytes() == first
    assert sorted(out.rglob('*')) == files


def test_masks_of_irstd1k(tmp_path):
    """Masks of any number of channels become 0 and 1; alpha is no target."""
    source, out = irstd1k(tmp_path), tmp_path / 'out'
    lines = convert('irstd1k', source, out)
    for number in range(4):
        expected = np.zeros((32, 40), np.uint8)
        expected[4:6, 8:11] = number != 3
        assert np.array_equal(unchanged(out / f'masks/XDU{number}.png'), expected)
    assert (out / 'images').resolve() == source / 'IRSTD1k_Img'
    assert lines[:4] == [
        'trainval: 2 images (0 without target), 12 target pixels',
        'test: 2 images (1 without target), 6 target pixels',
        f'{out / "masks"} written: 4 masks',
        '1 images are in no list and were left out',
    ]


def own(root: Path) -> None:
    """``trainval.txt`` and ``test.txt``."""
    (root / 'test.txt').write_text('XDU2\nXDU3\n')


def basic_irstd(root: Path) -> None:
    """The folders and lists of BasicIRSTD."""
    for old, new in (('IRSTD1k_Img', 'images'), ('IRSTD1k_Label', 'masks')):
        (root / old).rename(root / new)
    (root / 'img_idx').mkdir()
    (root / 'trainval.txt').rename(root / 'img_idx/train_IRSTD-1K.txt')
    (root / 'img_idx/test_IRSTD-1K.txt').write_text('XDU2\nXDU3')
    (root / 'trainvaltest.txt').unlink()


@pytest.mark.parametrize('arrange', [lambda root: None, own, basic_irstd])
def test_lists_of_irstd1k(tmp_path, arrange):
    """The lists found, or what only the second released list names."""
    source, out = irstd1k(tmp_path), tmp_path / 'out'
    arrange(source)
    convert('irstd1k', source, out)
    assert (out / 'trainval.txt').read_text() == 'XDU0\nXDU1\n'
    assert (out / 'test.txt').read_text() == 'XDU2\nXDU3\n'


def test_the_data_set_reads_irstd1k(tmp_path):
    """``SIRSTDataset`` finds the layout, with the lists' names of the release."""
    pytest.importorskip('mmseg')
    from mmengine.registry import init_default_scope

    import dugi_mae.mmseg  # noqa: F401
    from dugi_mae.mm.datasets.sirst import SIRSTDataset

    convert('irstd1k', irstd1k(tmp_path), tmp_path / 'out')
    init_default_scope('mmseg')
    load = [dict(type='LoadInfraredImage'), dict(type='LoadTargetMask')]
    dataset = SIRSTDataset(str(tmp_path / 'out'), 'test.txt', pipeline=load)
    samples = [dataset[i] for i in range(len(dataset))]
    assert [int(sample['gt_seg_map'].sum()) for sample in samples] == [6, 0]
