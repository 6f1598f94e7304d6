"""Tests of the copies of targets."""

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from scipy import ndimage
from toys import count_targets as count
from toys import target_sample

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import SmallTargetCopyPaste


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('channels', [1, 3])
def test_copies_are_complete_and_labelled(dtype, channels):
    """Every pixel labelled as target looks like one, and no other does."""
    for _ in range(100):
        result = SmallTargetCopyPaste(1.0, 3).transform(
            target_sample(dtype=dtype, channels=channels)
        )
        image, mask = result['img'], result['gt_seg_map']
        assert image.dtype == dtype
        assert image.shape == (48, 64, channels)
        assert (image[mask == 1] == 180).all()
        assert (image[mask == 0] == 50).all()
        assert 1 <= count(mask) <= 4
        assert mask.sum() == 9 * count(mask)


def test_targets_stay():
    """The old targets are where they were, and as bright, whatever is pasted."""
    boxes = ((2, 2, 4, 5), (20, 30, 25, 33), (45, 60, 48, 64))
    for _ in range(200):
        before = target_sample(boxes=boxes)
        after = SmallTargetCopyPaste(1.0, 5).transform(target_sample(boxes=boxes))
        old = before['gt_seg_map'] == 1
        assert (after['gt_seg_map'][old] == 1).all()
        assert (after['img'][old] == before['img'][old]).all()
        assert count(after['gt_seg_map']) >= 3


def test_copies_keep_clear_of_targets():
    """Copies never merge with a target, nor are those that the border may cut copied.

    In a small and crowded image the copies would often lie side by side.
    """
    boxes = ((0, 0, 3, 3), (14, 14, 17, 17), (27, 10, 30, 13), (13, 26, 16, 29))
    for seed in range(300):
        np.random.seed(seed)
        mask = SmallTargetCopyPaste(1.0, 3).transform(
            target_sample(boxes=boxes, size=(30, 30))
        )['gt_seg_map']
        assert mask.sum() == 9 * count(mask)
    at_border = target_sample(boxes=((0, 5, 3, 8), (20, 0, 23, 2)))
    mask = SmallTargetCopyPaste(1.0).transform(at_border)['gt_seg_map']
    assert count(mask) == 2


def test_saturation_does_not_swallow_copies():
    """A label without a visible target is wrong: saturated places are left out."""
    for _ in range(100):
        given = target_sample()
        given['img'][:, 30:] = 250
        before = given['img'].astype(int)
        result = SmallTargetCopyPaste(1.0, 3).transform(given)
        new = result['gt_seg_map'] == 1
        new[10:13, 12:15] = False
        ids, number = ndimage.label(new, np.ones((3, 3)))
        gains = ndimage.mean(
            (result['img'] - before)[..., 0], ids, range(1, number + 1)
        )
        assert number >= 1
        assert (gains >= 65).all()


def test_clutter_shines_through():
    """A copy adds to what lies at the new place."""
    given = target_sample(dtype=np.float32)
    rows = np.arange(48, dtype=np.float32)[:, None, None]
    given['img'] = np.where(given['gt_seg_map'][..., None], 130, 0) + rows * 0 + 50
    given['img'][24:] += 20
    for _ in range(50):
        result = SmallTargetCopyPaste(1.0, 1).transform(dict(given))
        new = (result['gt_seg_map'] == 1) & (given['gt_seg_map'] == 0)
        lower = new.copy()
        lower[:24] = False
        assert np.isclose(result['img'][lower], 200).all()


def test_unknown_pixels_are_left_alone():
    """Nothing is pasted where the label says "unknown"."""
    given = target_sample()
    given['gt_seg_map'][:, 20:] = 255
    for _ in range(50):
        result = SmallTargetCopyPaste(1.0, 3).transform(dict(given))
        assert (result['gt_seg_map'][:, 20:] == 255).all()
        assert (result['img'][:, 20:] == 50).all()


@pytest.mark.parametrize(
    'config, boxes',
    [
        (dict(prob=0.0), ((10, 12, 13, 15),)),
        (dict(prob=1.0), ()),
        (dict(prob=1.0, max_side=8), ((10, 10, 20, 12),)),
        (dict(prob=1.0), ((0, 0, 48, 64),)),
    ],
)
def test_nothing_to_copy(config, boxes):
    """Without luck, target, or one that is small enough, nothing changes."""
    before = target_sample(boxes=boxes)
    after = SmallTargetCopyPaste(**config).transform(target_sample(boxes=boxes))
    assert (after['img'] == before['img']).all()
    assert (after['gt_seg_map'] == before['gt_seg_map']).all()


def test_input_arrays_are_left_alone():
    """The loaded arrays may be cached: copies are written, not they."""
    given = target_sample()
    image, mask = given['img'], given['gt_seg_map']
    SmallTargetCopyPaste(1.0, 3).transform(given)
    assert count(mask) == 1
    assert (image == target_sample()['img']).all()


def test_seed_decides():
    """The same numpy seed gives the same image; it is found without a scope."""
    paste = TRANSFORMS.build(dict(type='SmallTargetCopyPaste', prob=1.0))
    results = []
    for _ in range(2):
        np.random.seed(3)
        results.append(paste.transform(target_sample())['img'])
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(prob=-0.1), 'prob=-0.1.*from 0 to 1'),
        (dict(max_copies=0), 'max_copies=0.*from 1'),
        (dict(max_side=0), 'max_side=0.*from 1'),
    ],
)
def test_bad_arguments(arguments, message):
    """An argument out of range ends in a message that names it."""
    with pytest.raises(DuGIError, match=message):
        SmallTargetCopyPaste(**arguments)
