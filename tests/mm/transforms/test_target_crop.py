"""The crop around targets, enlarged at random."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from scipy import ndimage

from dugi_mae.errors import DuGIError
from dugi_mae.mm.transforms import SmallTargetCrop


def sample(height: int, width: int, boxes, dtype: type = np.float32) -> dict:
    """An image whose pixels tell their places and targets, and the mask."""
    rows, cols = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = 1
    image = np.stack([rows, cols, mask], axis=-1).astype(dtype)
    return dict(img=image, gt_seg_map=mask, img_shape=mask.shape)


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
    for _ in range(200):
        result = SmallTargetCrop((32, 24), prob=1.0).transform(sample(100, 120, boxes))
        assert result['img_shape'] == result['gt_seg_map'].shape == (32, 24)
        assert (result['img'][..., 2] == result['gt_seg_map']).all()
        top, left = result['img'][0, 0, :2]
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


def test_places_are_drawn_evenly():
    """An aimed crop begins at each place that keeps the target whole, as often."""
    crop = SmallTargetCrop((8, 8), prob=1.0)
    tops = [
        crop.transform(sample(40, 40, [(20, 20, 22, 22)]))['img'][0, 0, 0]
        for _ in range(700)
    ]
    values, counts = np.unique(tops, return_counts=True)
    assert values.tolist() == list(range(14, 21))
    assert counts[1:-1].min() > 60  # the ends are half as wide


@pytest.mark.parametrize('prob, boxes', [(0.0, [(5, 5, 7, 7)]), (1.0, [])])
def test_else_anywhere(prob, boxes):
    """Without aim or without target, crops reach the whole image and nothing else."""
    crop = SmallTargetCrop((10, 10), prob)
    tops = {crop.transform(sample(20, 30, boxes))['img'][0, 0, 0] for _ in range(300)}
    assert tops == set(range(11))


def test_small_images_are_mirrored():
    """All of a smaller image is in the crop, which goes on as ``np.pad`` would."""
    for _ in range(20):
        given = sample(20, 50, [(3, 45, 6, 49)])
        image = given['img'][..., 0].copy()
        result = SmallTargetCrop((64, 50), prob=0.5).transform(given)
        first = int(np.argmin(result['img'][:, 0, 0]))  # a place of row 0
        offset = first % 38  # the mirrored image repeats itself
        padded = np.pad(image, ((38 + offset, 120), (0, 0)), mode='reflect')
        assert (result['img'][..., 0] == padded[38:102]).all()


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
def test_zoom_keeps_image_and_mask_aligned(dtype):
    """Targets grow by the drawn factor; the mask shows them where the image does."""
    crop, areas = SmallTargetCrop((48, 48), prob=1.0, max_zoom=2.0), []
    for _ in range(60):
        given = sample(100, 100, [(40, 50, 46, 58)], dtype)
        given['img'][..., 2] *= 200
        result = crop.transform(given)
        image, mask = result['img'], result['gt_seg_map']
        assert image.dtype == dtype and image.shape == (48, 48, 3)
        assert set(np.unique(mask)) == {0, 1}
        spot = ndimage.center_of_mass(image[..., 2].astype(float))
        assert spot == pytest.approx(ndimage.center_of_mass(mask), abs=0.5)
        areas.append(mask.sum())
    assert 48 <= min(areas) < 70 and 150 < max(areas) <= 48 * 4.5


def test_grey_images_without_an_axis():
    """``(H, W)`` images stay so, and ``(H, W, 1)`` ones keep their channel."""
    for shape in ((40, 40), (40, 40, 1)):
        given = sample(40, 40, [(20, 20, 22, 22)]) | dict(img=np.zeros(shape))
        result = SmallTargetCrop((8, 8)).transform(given)
        assert result['img'].shape == (8, 8, *shape[2:])


def test_seed_decides():
    """The same numpy seed gives the same crop; it is found without a scope."""
    crop = TRANSFORMS.build(dict(type='SmallTargetCrop', crop_size=(8, 8)))
    results = []
    for _ in range(2):
        np.random.seed(7)
        results.append(crop.transform(sample(60, 60, [(20, 20, 22, 22)]))['img'])
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(crop_size=(0, 8)), 'crop_size=.*pixels'),
        (dict(crop_size=(8, 8), prob=1.5), 'prob=1.5.*from 0 to 1'),
        (dict(crop_size=(8, 8), max_zoom=0.5), 'max_zoom=0.5.*from 1'),
    ],
)
def test_bad_arguments(arguments, message):
    """What is out of range ends in a message that names it."""
    with pytest.raises(DuGIError, match=message):
        SmallTargetCrop(**arguments)


@pytest.mark.parametrize('max_zoom', [1.0, 2.0])
def test_ignored_pixels_stay_ignored(max_zoom):
    """255 is no target, is not aimed at, and lies where it lay."""
    given = sample(40, 40, [(10, 10, 14, 14)])
    given['gt_seg_map'][20:30, 20:30] = 255
    given['img'][..., 2] = given['gt_seg_map'] == 255
    result = SmallTargetCrop((40, 40), 1.0, max_zoom).transform(given)
    labels = result['gt_seg_map']
    assert {1} <= set(np.unique(labels)) <= {0, 1, 255}
    np.testing.assert_array_equal(labels == 255, result['img'][..., 2] >= 0.5)
