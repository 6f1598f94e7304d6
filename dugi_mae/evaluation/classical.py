"""Classical small-target detectors: baselines without learning."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.errors import DuGIError


def top_hat(image: ndarray, radius: int = 3) -> ndarray:
    """White top-hat by a disk: bright spots that are narrower than the disk.

    Args:
        image: ``(H, W)`` grey values.
        radius: Radius of the disk in pixels.

    Returns:
        ``(H, W)`` score in 0..1; the strongest response of the image is 1.
    """
    image = _check_image(image)
    if radius < 1:
        raise DuGIError(f'radius={radius} pixels: give at least 1')
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    return _to_unit(
        cv2.morphologyEx(image, cv2.MORPH_TOPHAT, disk, borderType=cv2.BORDER_REFLECT)
    )


def mpcm(image: ndarray, sizes: Sequence[int] = (3, 5, 7, 9)) -> ndarray:
    """Multi-scale patch-based contrast measure (Wei et al., Pattern Recognition 2016).

    A patch's contrast is the least, over four directions, of the product of its
    differences to the two patches on opposite sides, by their means; the maximum over
    the sizes counts. The paper also detects dark spots; here only patches brighter than
    both sides have a contrast above 0.

    Args:
        image: ``(H, W)`` grey values.
        sizes: Sides of the patches in pixels, odd.

    Returns:
        ``(H, W)`` score in 0..1; the strongest response of the image is 1.
    """
    image = _check_image(image)
    if not sizes or any(size < 1 or size % 2 == 0 for size in sizes):
        raise DuGIError(f'sizes={sizes} of patches: give odd numbers of pixels')
    return _to_unit(np.max([_patch_contrast(image, size) for size in sizes], axis=0))


def _patch_contrast(image: ndarray, size: int) -> ndarray:
    """The contrast measure at one patch size, ``(H, W)``."""
    height, width = image.shape
    # The same sum for each pixel, so that a flat image has no contrast by rounding.
    kernel = np.full(size, 1 / size)
    mean = cv2.sepFilter2D(np.pad(image, 2 * size, 'symmetric'), -1, kernel, kernel)

    def shifted(y: int, x: int) -> ndarray:
        top, left = (2 + y) * size, (2 + x) * size
        return mean[top : top + height, left : left + width]

    contrast = np.full(image.shape, np.inf)
    centre = shifted(0, 0)
    for y, x in ((0, 1), (1, 1), (1, 0), (1, -1)):
        one, other = (np.maximum(centre - shifted(s * y, s * x), 0) for s in (1, -1))
        contrast = np.minimum(contrast, one * other)
    return contrast


def adaptive_threshold(score: ndarray, k: float | ndarray) -> float | ndarray:
    """Threshold at mean + k standard deviations of the score map.

    Args:
        score: ``(H, W)`` score map.
        k: Number of standard deviations; an array gives one threshold each.
    """
    return score.mean() + k * score.std()


def _check_image(image: ndarray) -> ndarray:
    if image.ndim != 2:
        raise DuGIError(f'image of shape {image.shape}: give one grey channel (H, W)')
    return image.astype(np.float64)


def _to_unit(response: ndarray) -> ndarray:
    peak = response.max()
    return response / peak if peak > 0 else np.zeros_like(response)
