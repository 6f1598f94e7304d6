"""The MFNet converter takes thermal out of the fourth channel, bit for bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dugi_mae.converters.mfnet import convert
from dugi_mae.errors import DuGIError


def unchanged(path) -> np.ndarray:
    """The pixels a file stores."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_thermal_is_the_fourth_channel(mfnet, tmp_path):
    """New images are grey and equal the channel; labels are linked, not copied."""
    out = tmp_path / 'out'
    convert(mfnet.parent, out)
    names = sorted(path.name for path in (out / 'thermal').iterdir())
    assert names == ['00001D.png', '00002N.png', '00003D.png', '00004N.png']
    for name in names:
        assert np.array_equal(
            unchanged(out / 'thermal' / name),
            unchanged(mfnet / 'images' / name)[..., 3],
        )
    assert (out / 'labels').resolve() == mfnet / 'labels'


def test_lists(mfnet, tmp_path):
    """Mirrored copies are left out; parts of the test split come along."""
    lines = convert(mfnet, tmp_path / 'out')
    splits = tmp_path / 'out' / 'splits'
    assert (splits / 'train.txt').read_text() == '00001D\n00002N\n'
    assert (splits / 'test_night.txt').read_text() == '00004N\n'
    assert not (splits / 'test_day.txt').exists()
    assert lines[0] == 'train: 1 mirrored copies left out'
    assert lines[1].startswith('train: 2 images (0 with nothing but unlabelled)')


def test_runs_again(mfnet, tmp_path):
    """A second run gives the same bytes, repairs what is broken, leaves no scraps."""
    out = tmp_path / 'out'
    convert(mfnet, out)
    image = out / 'thermal' / '00001D.png'
    files, first = sorted(out.rglob('*')), image.read_bytes()
    image.write_bytes(first[:20])
    convert(mfnet, out)
    assert image.read_bytes() == first
    assert sorted(out.rglob('*')) == files


def three_channels(root):
    path = root / 'images/00002N.png'
    cv2.imwrite(str(path), unchanged(path)[..., :3])


def opaque(root):
    path = root / 'images/00002N.png'
    pixels = unchanged(path)
    pixels[..., 3] = 255
    cv2.imwrite(str(path), pixels)


def bad_label(root):
    cv2.imwrite(str(root / 'labels/00002N.png'), np.full((48, 64), 12, np.uint8))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (
            three_channels,
            r'00002N.png has 3 channel\(s\), but images of MFNet have four',
        ),
        (opaque, '00002N.png has nothing but 255 in its fourth channel'),
        (bad_label, '00002N.png has the value 12, but 9 classes'),
        (
            lambda root: (root / 'labels/00003D.png').unlink(),
            '00003D of .*val.txt is not in .*labels',
        ),
        (
            lambda root: (root / 'val.txt').write_text('00001D'),
            '00001D is in both train and val',
        ),
        (lambda root: (root / 'val.txt').write_text(''), 'val.txt is empty'),
        (lambda root: (root / 'val.txt').unlink(), 'val.txt cannot be read'),
    ],
)
def test_bad_copy(mfnet, tmp_path, spoil, message):
    """What is wrong is said in one line; without lists nothing passes for complete."""
    spoil(mfnet)
    with pytest.raises(DuGIError, match=message) as caught:
        convert(mfnet, tmp_path / 'out')
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'out' / 'splits').exists()
