"""Masks of COCO files are checked where they are used."""

from __future__ import annotations

import numpy as np
import pytest

from dugi_mae.annotations.coco_masks import check_masks, run_lengths, split_polygons
from dugi_mae.errors import DuGIError

POLYGON = [[1, 1, 4, 1, 4, 3]]
#: One 6x4 image (width x height); run lengths go down its columns.
COUNTS = dict(size=[4, 6], counts=[5, 2, 17])
PACKED = dict(size=[4, 6], counts='52a0')


def content(mask: object) -> dict:
    """A file of one image with two objects, the second with this mask."""
    return dict(
        images=[dict(id=7, file_name='a.png', width=6, height=4)],
        annotations=[
            dict(id=3, image_id=7, segmentation=POLYGON),
            dict(id=9, image_id=7, segmentation=mask),
        ],
    )


@pytest.mark.parametrize('mask', [POLYGON, COUNTS, PACKED])
def test_good_masks(mask):
    """Polygons and run lengths of the image's size pass."""
    check_masks(content(mask), 'x')


@pytest.mark.parametrize('shape', [(1, 1), (7, 5), (60, 90)])
@pytest.mark.parametrize('share', [0, 0.02, 0.5, 1])
def test_run_lengths_are_those_of_pycocotools(shape, share):
    """What pycocotools packs is read: alternating lengths, first of background."""
    coco = pytest.importorskip('pycocotools.mask')
    mask = np.random.default_rng(0).random(shape) < share
    packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    runs = run_lengths(packed['counts'].decode())
    values = np.arange(len(runs)) % 2
    assert np.array_equal(np.repeat(values, runs), mask.ravel(order='F'))


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        (None, '1. of x has no segmentation, which with_mask=True'),
        ([], '1. of x has no segmentation'),
        (dict(COUNTS, size=[6, 4]), r'size \[6, 4\], its image \[4, 6\] \(height'),
        (dict(COUNTS, counts=[5, 2]), 'do not add up to its image of 6x4 pixels'),
        (dict(PACKED, counts=''), '1. of x has damaged run lengths'),
        (dict(PACKED, counts='52a'), 'damaged run lengths'),
        (dict(PACKED, counts='52a0€'), 'damaged run lengths'),
        (dict(PACKED, counts='1' * 50), 'damaged run lengths'),
        (dict(PACKED, counts='O' + PACKED['counts']), 'damaged run lengths'),
    ],
)
def test_bad_masks(mask, message):
    """No mask, one of another image and a damaged one: the annotation is named."""
    with pytest.raises(DuGIError, match=message) as caught:
        check_masks(content(mask), 'x')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('polygon', [[], [3, 3], [1, 1, 5, 5], [1, 1, 5, 5, 9, 1, 7]])
def test_degenerate_polygons(polygon):
    """Fewer than three points and half a point are told from polygons."""
    assert split_polygons([polygon, *POLYGON]) == (POLYGON, [polygon])
