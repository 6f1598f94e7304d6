"""Small targets marked in the image, and compared with the ground truth."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.evaluation.target_matching import (
    Components,
    TargetMatch,
    find_components,
)

#: RGB of targets that are predicted and true, predicted only, true only, and of all
#: predicted ones without a ground truth.
HIT, FALSE_ALARM, MISS = (0, 200, 0), (255, 40, 40), (255, 210, 0)
FOUND = (0, 200, 255)
#: Smaller images are enlarged by an integer factor until their short side has at least
#: this many pixels: targets are a few pixels wide.
MIN_SIDE = 600
#: Distance in pixels of the picture from a target to the frame around it.
MARGIN = 10


def draw_outline(
    picture: ndarray,
    components: Components,
    number: int,
    color: tuple[int, int, int],
    scale: int,
) -> None:
    """Outline a component and draw a frame around it, on the pixels outside it.

    Args:
        picture: ``(H * scale, W * scale, 3)`` uint8, changed in place.
        components: All components.
        number: Id of the one to draw.
        color: In the channel order of the picture.
        scale: Picture pixels per image pixel.
    """
    x1, y1, x2, y2 = components.boxes[number - 1]
    shape = components.ids[y1:y2, x1:x2] == number
    x1, y1, x2, y2 = (int(n) * scale for n in (x1, y1, x2, y2))
    shape = np.kron(shape, np.ones((scale, scale), bool))
    # One pixel wider on each side, so that the line runs around the target.
    shape = cv2.dilate(np.pad(shape, 1).astype(np.uint8), np.ones((3, 3)))
    lines, _ = cv2.findContours(
        shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x1 - 1, y1 - 1)
    )
    cv2.drawContours(picture, lines, -1, color)
    corner = (x1 - MARGIN, y1 - MARGIN)
    cv2.rectangle(picture, corner, (x2 + MARGIN, y2 + MARGIN), color)


def draw_small_targets(
    image: ndarray, prediction: ndarray, match: TargetMatch | None = None
) -> ndarray:
    """Mark predicted targets and compare them with the ground truth, if there is one.

    With a ground truth hits are green, false alarms red and missed targets yellow;
    without one every predicted target is blue. Hits are those of the metric's matching.

    Args:
        image: ``(H, W)`` uint8.
        prediction: ``(H, W)`` boolean.
        match: Comparison of the prediction with the ground truth.

    Returns:
        ``(H * s, W * s, 3)`` uint8 RGB; s is 1 for images of 600 pixels and more.
    """
    scale = math.ceil(MIN_SIDE / min(image.shape))
    picture = np.kron(image, np.ones((scale, scale), np.uint8))
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    found = find_components(prediction) if match is None else match.predicted
    false = [] if match is None else match.false_alarms
    hit = FOUND if match is None else HIT
    for number in sorted(range(1, len(found.areas) + 1), key=lambda n: n in false):
        color = FALSE_ALARM if number in false else hit
        draw_outline(picture, found, number, color, scale)
    for number in [] if match is None else match.misses:
        draw_outline(picture, match.gt, number, MISS, scale)
    return picture
