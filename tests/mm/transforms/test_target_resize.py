"""Tests of the resize that loses no target."""

from functools import partial

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from scipy import ndimage
from toys import count_targets as count
from toys import target_sample

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import SmallTargetResize
from dugi_mae.mm.transforms.target_resize import resize_mask

sample = partial(target_sample, size=(60, 80))


def scattered(number, seed):
    """Boxes of 1 to 4 pixels a side in cells of 20x20, so that they stay apart."""
    rng = np.random.RandomState(seed)
    cells = rng.permutation(12)[:number]
    for cell in cells:
        top, left = np.array([cell // 4, cell % 4]) * 20 + rng.randint(16, size=2)
        yield top, left, top + rng.randint(1, 5), left + rng.randint(1, 5)


@pytest.mark.parametrize('seed', range(20))
def test_no_target_is_lost(seed):
    """Whatever is drawn, as many targets come out as go in, none too small."""
    boxes = list(scattered(seed % 12 + 1, seed))
    smallest = min(
        (bottom - top) * (right - left) for top, left, bottom, right in boxes
    )
    np.random.seed(seed)
    for _ in range(20):
        result = SmallTargetResize((0.2, 1.8), min_target=4).transform(sample(boxes))
        width, height = result['scale_factor']
        assert count(result['gt_seg_map']) == len(boxes)
        # Sizes are whole: they are up to half a pixel off the drawn factor.
        assert width * height * smallest >= 0.9 * min(4, smallest)


@pytest.mark.parametrize('size', [(20, 27), (7, 9), (59, 31), (90, 111), (60, 80)])
def test_masks_keep_every_target(size):
    """Single pixels survive any resize of the mask, in corners too."""
    mask = np.zeros((60, 80), np.uint8)
    mask[[0, 0, 59, 59, 30], [0, 79, 0, 79, 41]] = 1
    resized = resize_mask(mask, size)
    assert resized.shape == size
    assert resized.dtype == np.uint8
    assert count(resized) == 5
    assert resized[0, 0] == resized[0, -1] == resized[-1, 0] == resized[-1, -1] == 1


def test_other_labels_are_kept():
    """Masks keep their values: nothing is mixed, 255 stays "unknown"."""
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 20:] = 255
    mask[10, 10] = 1
    assert set(np.unique(resize_mask(mask, (13, 17)))) == {0, 1, 255}


@pytest.mark.parametrize('scale', [0.7, 1.0, 1.3, 1.7, 2.0])
def test_image_and_mask_stay_aligned(scale):
    """Labels are not shifted against what they label.

    A single one is off by the rounding to whole pixels; the mean over places is not.
    """
    shifts = []
    for start in range(10, 30):
        given = sample([(start, start, start + 12, start + 12)])
        result = SmallTargetResize((scale, scale)).transform(given)
        spot = ndimage.center_of_mass(result['img'][..., 0].astype(float) - 50)
        label = ndimage.center_of_mass(result['gt_seg_map'])
        shifts.append(np.subtract(spot, label))
    assert (np.abs(np.mean(shifts, axis=0)) < 0.1).all()


@pytest.mark.parametrize(
    'scale_range, min_target, side, expected',
    [
        ((0.25, 0.25), 9, 12, 0.25),  # 3x3 are left
        ((0.25, 0.25), 9, 6, 0.5),  # 0.25 would leave less
        ((0.25, 0.25), 9, 3, 1.0),
        ((0.25, 0.25), 9, 1, 1.0),  # small already: neither shrunk nor enlarged
        ((2.0, 2.0), 9, 1, 2.0),
        ((0.25, 0.25), 1, 6, 0.25),
    ],
)
def test_scale_is_limited(scale_range, min_target, side, expected):
    """The smallest target decides how far an image may shrink."""
    boxes = [(10, 10, 10 + side, 10 + side), (30, 40, 50, 70)]
    transform = SmallTargetResize(scale_range, min_target)
    result = transform.transform(sample(boxes))
    assert result['img_shape'] == (60 * expected, 80 * expected)
    assert result['scale_factor'] == (expected, expected)


def test_backgrounds_use_the_whole_range():
    """Without a target nothing limits the draw; it is even."""
    transform = SmallTargetResize((0.5, 1.5))
    drawn = [transform.draw_scale(np.zeros((8, 8), np.uint8)) for _ in range(400)]
    assert min(drawn) < 0.55
    assert max(drawn) > 1.45
    assert abs(np.mean(drawn) - 1) < 0.05


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('scale', [0.6, 1.4])
def test_forms_of_images(dtype, channels, scale):
    """Dtype and number of channels are kept, the loaded arrays left alone."""
    given = sample([(20, 31, 32, 47)], channels=channels, dtype=dtype)
    image, mask = given['img'], given['gt_seg_map']
    copies = image.copy(), mask.copy()
    result = SmallTargetResize((scale, scale)).transform(given)
    assert result['img'].dtype == dtype
    assert result['img'].shape == (*result['img_shape'], channels)
    assert result['gt_seg_map'].shape == result['img_shape']
    assert (image == copies[0]).all()
    assert (mask == copies[1]).all()


def test_seed_decides():
    """The same numpy seed gives the same factor; it is found without a scope."""
    resize = TRANSFORMS.build(dict(type='SmallTargetResize'))
    shapes = []
    for seed in (7, 7, 8):
        np.random.seed(seed)
        shapes.append(resize.transform(sample([(20, 31, 32, 47)]))['img_shape'])
    assert shapes[0] == shapes[1] != shapes[2]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(scale_range=(0, 1)), 'scale_range=.*both above 0'),
        (dict(scale_range=(2, 1)), 'scale_range=.*least, greatest'),
        (dict(min_target=0), 'min_target=0.*from 1'),
    ],
)
def test_bad_arguments(arguments, message):
    """An argument out of range ends in a message that names it."""
    with pytest.raises(DuGIError, match=message):
        SmallTargetResize(**arguments)
