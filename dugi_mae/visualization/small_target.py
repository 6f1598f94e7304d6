"""Small targets marked in the image, with hits and errors where truth is known."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy import ndarray
from skimage import measure

from dugi_mae.evaluation.target_matching import TargetMatch, find_components
from dugi_mae.visualization.overlay import FALSE_ALARM, HIT, MISS

#: RGB of a target where no truth is known.
FOUND = (0, 200, 255)
#: Smaller images are enlarged by a whole factor until their short side has this many
#: pixels: targets are a few pixels wide.
MIN_SIDE = 600
#: Distance in pixels of the picture from a target to the frame around it.
MARGIN = 10


def draw_outlines(
    picture: ndarray, components: ndarray, color: tuple[int, int, int], scale: int
) -> None:
    """Outline each component and put a frame around it, on the pixels outside it.

    Args:
        picture: ``(H * scale, W * scale, 3)`` uint8, changed in place.
        components: ``(H, W)`` int, 0 where there is none.
        color: In the channel order of the picture.
        scale: Picture pixels for one image pixel.
    """
    for region in measure.regionprops(components):
        top, left, bottom, right = (n * scale for n in region.bbox)
        shape = np.kron(region.image, np.ones((scale, scale), bool))
        # One pixel wider on each side, so that the line runs around the target.
        shape = cv2.dilate(np.pad(shape, 1).astype(np.uint8), np.ones((3, 3)))
        lines, _ = cv2.findContours(
            shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left - 1, top - 1)
        )
        cv2.drawContours(picture, lines, -1, color)
        corner = (left - MARGIN, top - MARGIN)
        cv2.rectangle(picture, corner, (right + MARGIN, bottom + MARGIN), color)


def draw_small_targets(
    image: ndarray, prediction: ndarray, match: TargetMatch | None = None
) -> ndarray:
    """Mark predicted targets, and how they compare with the truth.

    With a truth, hits are green, false alarms red and missed true targets yellow;
    without one every predicted target is blue. What counts as a hit is the metric's
    own matching.

    Args:
        image: ``(H, W)`` uint8.
        prediction: ``(H, W)`` boolean.
        match: Comparison of the prediction with the truth.

    Returns:
        ``(H * s, W * s, 3)`` uint8 RGB; s is 1 for images of 600 pixels and more.
    """
    scale = math.ceil(MIN_SIDE / min(image.shape))
    picture = np.kron(image, np.ones((scale, scale), np.uint8))
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    if match is None:
        components, _ = find_components(prediction)
        draw_outlines(picture, components, FOUND, scale)
        return picture
    false = np.isin(match.predicted, match.false_alarms)
    missed = np.isin(match.true, match.misses)
    for components, color in (
        (np.where(false, 0, match.predicted), HIT),
        (np.where(false, match.predicted, 0), FALSE_ALARM),
        (np.where(missed, match.true, 0), MISS),
    ):
        draw_outlines(picture, components, color, scale)
    return picture
