"""Masks of targets, in all the forms they are released in."""

from __future__ import annotations

import numpy as np
from numpy import ndarray


def binary_mask(pixels: ndarray) -> ndarray:
    """Whatever is not black is target.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)`` in BGR(A) order; alpha does not count.

    Returns:
        ``(H, W)`` uint8 in {0, 1}.
    """
    if pixels.ndim == 3:
        # A palette may give the target a colour whose first channel is zero.
        pixels = pixels[..., :3].max(axis=2)
    return (pixels > 0).astype(np.uint8)
