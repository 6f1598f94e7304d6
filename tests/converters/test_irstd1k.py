"""The IRSTD-1k converter gives every mask one form and every copy both lists."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from dugi_mae.converters.irstd1k import convert
from dugi_mae.errors import DuGIError


def test_masks(irstd1k, tmp_path):
    """Masks of any number of channels become 0 and 1; alpha is no target."""
    out = tmp_path / 'out'
    lines = convert(irstd1k, out)
    for number in range(4):
        path = out / 'masks' / f'XDU{number}.png'
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        expected = np.zeros((32, 40), np.uint8)
        expected[4:6, 8:11] = number != 3
        assert np.array_equal(mask, expected)
    assert (out / 'images').resolve() == irstd1k / 'IRSTD1k_Img'
    assert lines[:4] == [
        'trainval: 2 images (0 without target), 12 target pixels',
        'test: 2 images (1 without target), 6 target pixels',
        f'{out / "masks"} written: 4 masks, 1 of them from several channels',
        '1 images are in no list and were left out',
    ]


def given(root):
    """Lists that are named by the user."""
    lists = root.parent / 'train.lst', root.parent / 'test.lst'
    for path, names in zip(lists, ('XDU0.png\nXDU1.png', 'XDU2\nXDU3'), strict=True):
        path.write_text(names)
    return lists


def own(root):
    """``trainval.txt`` and ``test.txt``."""
    (root / 'test.txt').write_text('XDU2\nXDU3\n')


def basic_irstd(root):
    """The folders and lists of BasicIRSTD."""
    for old, new in (('IRSTD1k_Img', 'images'), ('IRSTD1k_Label', 'masks')):
        (root / old).rename(root / new)
    (root / 'img_idx').mkdir()
    (root / 'trainval.txt').rename(root / 'img_idx/train_IRSTD-1K.txt')
    (root / 'img_idx/test_IRSTD-1K.txt').write_text('XDU2\nXDU3')
    (root / 'trainvaltest.txt').unlink()


@pytest.mark.parametrize('arrange', [lambda root: (), given, own, basic_irstd])
def test_lists(irstd1k, tmp_path, arrange):
    """The user's lists, those found, or what only the second released list names."""
    lists, out = arrange(irstd1k) or (), tmp_path / 'out'
    convert(irstd1k, out, *lists)
    assert (out / 'trainval.txt').read_text() == 'XDU0\nXDU1\n'
    assert (out / 'test.txt').read_text() == 'XDU2\nXDU3\n'
    files = sorted(out.rglob('*'))
    convert(irstd1k, out, *lists)
    assert sorted(out.rglob('*')) == files


def test_the_data_set_reads_it(irstd1k, tmp_path):
    """``SIRSTDataset`` finds the layout, with the lists' names of the release."""
    pytest.importorskip('mmseg')
    from mmengine.registry import init_default_scope

    import dugi_mae.mmseg  # noqa: F401
    from dugi_mae.mm.datasets.sirst import SIRSTDataset

    convert(irstd1k, tmp_path / 'out')
    init_default_scope('mmseg')
    load = [dict(type='LoadInfraredImage'), dict(type='LoadTargetMask')]
    dataset = SIRSTDataset(str(tmp_path / 'out'), 'test.txt', pipeline=load)
    assert [int(sample['gt_seg_map'].sum()) for sample in dataset] == [6, 0]


def other_size(root):
    cv2.imwrite(str(root / 'IRSTD1k_Label/XDU1.png'), np.zeros((30, 40), np.uint8))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (other_size, 'XDU1.png is 40x30 pixels, its image .* is 40x32'),
        (
            lambda root: (root / 'IRSTD1k_Label/XDU2.png').unlink(),
            "XDU2 of split 'test' is not in .*IRSTD1k_Label",
        ),
        (
            lambda root: (root / 'IRSTD1k_Img/XDU2.png').unlink(),
            "XDU2 of split 'test' is not in .*IRSTD1k_Img",
        ),
        (
            lambda root: (root / 'test.txt').write_text('XDU1'),
            'XDU1 is in both trainval and test',
        ),
        (
            lambda root: (root / 'trainvaltest.txt').unlink(),
            'has no split lists .*--train and --test',
        ),
        (
            lambda root: shutil.copy(root / 'trainval.txt', root / 'trainvaltest.txt'),
            "split 'test' is empty",
        ),
        (lambda root: shutil.rmtree(root / 'IRSTD1k_Img'), 'has no IRSTD1k_Img or'),
    ],
)
def test_bad_copy(irstd1k, tmp_path, spoil, message):
    """What is wrong is said in one line; without lists nothing passes for complete."""
    spoil(irstd1k)
    with pytest.raises(DuGIError, match=message) as caught:
        convert(irstd1k, tmp_path / 'out')
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'out' / 'test.txt').exists()


def test_both_lists_or_none(irstd1k, tmp_path):
    """One list alone is refused."""
    with pytest.raises(DuGIError, match='give both'):
        convert(irstd1k, tmp_path / 'out', train=irstd1k / 'trainval.txt')
