"""Small-target predictions as coloured pixels."""

from __future__ import annotations

import numpy as np

#: RGB of pixels that are predicted and true, predicted only, true only.
HIT, FALSE_ALARM, MISS = (0, 200, 0), (255, 40, 40), (255, 210, 0)


def draw_target_overlay(
    image: np.ndarray, prediction: np.ndarray, gt: np.ndarray
) -> np.ndarray:
    """Colour hits green, false alarms red and misses yellow, pixel by pixel.

    Args:
        image: ``(H, W)`` grey, uint8.
        prediction: ``(H, W)`` boolean.
        gt: ``(H, W)`` boolean.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    overlay = np.repeat(image[..., None], 3, axis=2)
    overlay[prediction & gt] = HIT
    overlay[prediction & ~gt] = FALSE_ALARM
    overlay[gt & ~prediction] = MISS
    return overlay
