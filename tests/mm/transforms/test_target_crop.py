"""Tests of the crop that keeps targets intact."""

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import SmallTargetCrop
from dugi_mae.mm.transforms.target_crop import crop_range, draw_clutter


def sample(height, width, boxes):
    """An image whose pixels tell their places, and a mask with the given boxes."""
    rows, cols = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = 1
    image = np.stack([rows, cols, mask], axis=-1).astype(np.float32)
    return dict(
        img=image, gt_seg_map=mask, seg_fields=['gt_seg_map'], img_shape=mask.shape
    )


@pytest.mark.parametrize(
    'boxes',
    [
        [(0, 0, 3, 2)],
        [(97, 118, 100, 120)],
        [(40, 50, 43, 55), (90, 10, 95, 12), (0, 119, 1, 120)],
    ],
)
def test_a_complete_target_lies_inside(boxes):
    """Aimed crops hold a complete target, in corners too, and every target is drawn."""
    seen = set()
    for _ in range(300):
        result = SmallTargetCrop((32, 24), prob=1.0).transform(sample(100, 120, boxes))
        assert result['img_shape'] == result['gt_seg_map'].shape == (32, 24)
        top, left = result['img'][0, 0, :2].astype(int)
        inside = [
            box
            for box in boxes
            if top <= box[0]
            and left <= box[1]
            and box[2] <= top + 32
            and box[3] <= left + 24
        ]
        assert inside
        seen.update(inside)
    assert seen == set(boxes)


def test_image_and_mask_stay_aligned():
    """Whatever is drawn, the mask shows the target where the image does."""
    for _ in range(50):
        result = SmallTargetCrop((32, 32)).transform(sample(64, 80, [(30, 40, 35, 43)]))
        assert (result['img'][..., 2] == result['gt_seg_map']).all()


def test_places_are_drawn_evenly():
    """An aimed crop begins at each place that keeps the target whole, as often."""
    crop = SmallTargetCrop((8, 8), prob=1.0)
    tops = [
        crop.transform(sample(40, 40, [(20, 20, 22, 22)]))['img'][0, 0, 0]
        for _ in range(700)
    ]
    values, counts = np.unique(tops, return_counts=True)
    assert values.tolist() == list(range(14, 21))
    assert counts.min() > 60


@pytest.mark.parametrize('prob, boxes', [(0.0, [(5, 5, 7, 7)]), (1.0, [])])
def test_else_anywhere(prob, boxes):
    """Without aim or without target, crops reach the whole image."""
    crop = SmallTargetCrop((10, 10), prob)
    tops = {crop.transform(sample(20, 30, boxes))['img'][0, 0, 0] for _ in range(300)}
    assert tops == set(range(11))


def test_short_sides_are_kept():
    """An image smaller than the crop keeps that side; nothing is padded or lost."""
    result = SmallTargetCrop((32, 32), prob=1.0).transform(
        sample(20, 50, [(3, 45, 6, 49)])
    )
    assert result['img'].shape == (20, 32, 3)
    assert result['gt_seg_map'].sum() == 12


def test_target_longer_than_the_crop_fills_it():
    """A target that cannot lie inside the crop is all that the crop shows."""
    for _ in range(20):
        result = SmallTargetCrop((4, 4), prob=1.0).transform(
            sample(30, 30, [(5, 5, 20, 20)])
        )
        assert result['gt_seg_map'].all()
    assert crop_range(5, 20, 4, 30) == (5, 16)


def test_input_is_left_alone():
    """Cropping returns views and writes nothing into the loaded arrays."""
    given = sample(40, 40, [(20, 20, 22, 22)])
    image, mask = given['img'], given['gt_seg_map']
    copies = image.copy(), mask.copy()
    SmallTargetCrop((8, 8)).transform(given)
    assert (image == copies[0]).all()
    assert (mask == copies[1]).all()


def test_seed_decides():
    """The same numpy seed gives the same crop; it is found without a scope."""
    crop = TRANSFORMS.build(dict(type='SmallTargetCrop', crop_size=(8, 8)))
    results = []
    for _ in range(2):
        np.random.seed(7)
        results.append(crop.transform(sample(60, 60, [(20, 20, 22, 22)]))['img'])
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('channels', [None, 1, 3])
def test_clutter_is_drawn_by_its_height(dtype, channels):
    """Spots that are no targets, four times as often where they are twice as high.

    What is wide, like a bright cloud, and the target itself with its rim never are.
    """
    image, mask = np.zeros((60, 80), dtype), np.zeros((60, 80), np.uint8)
    image[5, 5], image[50, 70] = 50, 100
    image[20:40, 20:40] = 200
    image[10:13, 60:63], mask[11, 61] = 250, 1
    if channels:
        image = np.repeat(image[..., None], channels, axis=2)
    np.random.seed(0)
    drawn = [tuple(s.start for s in draw_clutter(image, mask)) for _ in range(1000)]
    assert set(drawn) == {(5, 5), (50, 70)}
    assert 3 < drawn.count((50, 70)) / drawn.count((5, 5)) < 5


def test_crops_of_clutter():
    """With ``clutter_prob=1`` the crops that miss targets hold clutter."""
    for _ in range(100):
        given = sample(100, 120, [(10, 10, 13, 13)])
        given['img'] = np.zeros((100, 120), np.float32)
        given['img'][80, 90] = given['img'][11, 11] = 1
        result = SmallTargetCrop((32, 24), prob=0.0, clutter_prob=1.0).transform(given)
        assert result['img'].shape == (32, 24)
        assert result['img'].max() == 1
        assert not result['gt_seg_map'].any()


@pytest.mark.parametrize('value', [0, 7])
def test_no_clutter_in_a_constant_image(value):
    """Where nothing stands out the crop lies anywhere."""
    given = sample(40, 40, [])
    given['img'][:] = value
    assert draw_clutter(given['img'], given['gt_seg_map']) is None
    result = SmallTargetCrop((32, 24), clutter_prob=1.0).transform(given)
    assert result['img_shape'] == (32, 24)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(crop_size=(0, 8)), 'crop_size=.*pixels'),
        (dict(crop_size=(8, 8), prob=1.5), 'prob=1.5.*from 0 to 1'),
        (dict(crop_size=(8, 8), clutter_prob=-1), 'clutter_prob=-1.*from 0 to 1'),
    ],
)
def test_bad_arguments(arguments, message):
    """A size or probability out of range ends in a message that names it."""
    with pytest.raises(DuGIError, match=message):
        SmallTargetCrop(**arguments)
