"""Predictions as coloured pixels."""

from __future__ import annotations

import numpy as np
import pytest

from dugi_mae.visualization import draw_target_overlay
from dugi_mae.visualization.overlay import FALSE_ALARM, HIT, MISS


@pytest.mark.parametrize(
    ('predicted', 'true', 'color'),
    [
        (True, True, HIT),
        (True, False, FALSE_ALARM),
        (False, True, MISS),
        (False, False, (7, 7, 7)),
    ],
)
def test_each_pixel_has_the_color_of_its_outcome(predicted, true, color):
    """Other pixels stay grey, and the given image is not changed."""
    image = np.full((4, 5), 7, np.uint8)
    prediction, gt = np.zeros((2, 4, 5), bool)
    prediction[1, 2], gt[1, 2] = predicted, true
    picture = draw_target_overlay(image, prediction, gt)
    assert picture.shape == (4, 5, 3) and picture.dtype == np.uint8
    assert tuple(picture[1, 2]) == color
    assert (np.delete(picture.reshape(20, 3), 7, axis=0) == 7).all()
    assert (image == 7).all()
