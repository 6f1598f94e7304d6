"""Marks around small targets."""

from __future__ import annotations

import numpy as np
import pytest

from dugi_mae.evaluation.target_matching import match_targets
from dugi_mae.visualization import draw_small_targets
from dugi_mae.visualization.small_target import FALSE_ALARM, FOUND, HIT, MARGIN, MISS


def mask(shape, *boxes) -> np.ndarray:
    """Boolean with boxes ``(top, left, bottom, right)``."""
    result = np.zeros(shape, bool)
    for top, left, bottom, right in boxes:
        result[top:bottom, left:right] = True
    return result


def colored(picture, color) -> np.ndarray:
    return (picture == color).all(axis=2)


@pytest.mark.parametrize(
    ('shape', 'scale'),
    [((700, 800), 1), ((600, 900), 1), ((300, 400), 2), ((64, 48), 13)],
)
def test_small_images_are_enlarged(shape, scale):
    """By an integer factor, to 600 pixels; without targets only grey remains."""
    image = np.random.randint(0, 256, shape, np.uint8)
    picture = draw_small_targets(image, np.zeros(shape, bool))
    assert picture.shape == (shape[0] * scale, shape[1] * scale, 3)
    assert picture.dtype == np.uint8
    assert (picture[::scale, ::scale] == image[..., None]).all()
    assert (picture[scale - 1 :: scale, scale - 1 :: scale] == image[..., None]).all()


def test_target_pixels_stay_visible():
    """Outline and frame run outside the target, so its own pixels can be seen."""
    image = np.full((700, 800), 10, np.uint8)
    prediction = mask(image.shape, (100, 200, 103, 205))
    image[prediction] = 222
    picture = draw_small_targets(image, prediction)
    assert (picture[prediction] == 222).all()
    marks = colored(picture, FOUND)
    ring = mask(image.shape, (99, 199, 104, 206)) & ~prediction
    assert marks[ring].all()
    rows, cols = np.nonzero(marks)
    assert (rows.min(), cols.min()) == (100 - MARGIN, 200 - MARGIN)
    assert (rows.max(), cols.max()) == (103 + MARGIN, 205 + MARGIN)


def test_colors_follow_the_match():
    """Hits green, false alarms red, misses yellow: by the metric, not by overlap."""
    shape = (700, 800)
    gt = mask(shape, (50, 50, 53, 53), (300, 300, 304, 304), (500, 500, 510, 510))
    prediction = mask(
        shape,
        (51, 51, 54, 54),  # near the first: a hit
        (400, 100, 402, 102),  # near none: false
        (500, 500, 510, 502),  # overlaps the third, its centroid is 4 away: false
    )
    match = match_targets(prediction, gt)
    picture = draw_small_targets(np.zeros(shape, np.uint8), prediction, match)
    for color, places in (
        (HIT, [(51, 51, 54, 54)]),
        (FALSE_ALARM, [(400, 100, 402, 102), (500, 500, 510, 502)]),
        (MISS, [(300, 300, 304, 304), (500, 500, 510, 510)]),
    ):
        near = mask(shape)
        for top, left, bottom, right in places:
            near |= mask(
                shape,
                (top - MARGIN, left - MARGIN, bottom + MARGIN + 1, right + MARGIN + 1),
            )
        marks = colored(picture, color)
        assert marks.any()
        assert not marks[~near].any()
        top, left = places[0][:2]
        assert marks[top - MARGIN, left - MARGIN]
    assert not colored(picture, FOUND).any()
    assert len({HIT, MISS, FALSE_ALARM, FOUND}) == 4


def test_targets_at_the_border():
    """Marks are clipped at the border, not wrapped and not an error."""
    shape = (700, 800)
    prediction = mask(shape, (0, 0, 2, 2), (698, 795, 700, 800))
    picture = draw_small_targets(np.zeros(shape, np.uint8), prediction)
    marks = colored(picture, FOUND)
    assert marks[2, 0] and marks[0, 2] and marks[697, 799]
    assert not marks[20:-20, 20:-20].any()
