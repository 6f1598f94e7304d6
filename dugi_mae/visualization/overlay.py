"""Small-target predictions painted over the image."""

from __future__ import annotations

import numpy as np

#: RGB of pixels that are predicted and true, predicted only, true only.
HIT, FALSE_ALARM, MISS = (0, 200, 0), (255, 40, 40), (255, 210, 0)


def draw_target_overlay(
    image: np.ndarray, prediction: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    """Paint hits green, false alarms red and misses yellow.

    Args:
        image: ``(H, W)`` grey, uint8.
        prediction: ``(H, W)`` boolean.
        truth: ``(H, W)`` boolean.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    overlay = np.repeat(image[..., None], 3, axis=2)
    overlay[prediction & truth] = HIT
    overlay[prediction & ~truth] = FALSE_ALARM
    overlay[truth & ~prediction] = MISS
    return overlay
