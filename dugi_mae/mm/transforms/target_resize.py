"""A random resize after which every small target is still there."""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmengine.registry import TRANSFORMS
from numpy import ndarray

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.mm.transforms.base import Transform
from dugi_mae.mm.transforms.target_crop import find_targets


def resize_mask(mask: ndarray, size: tuple[int, int]) -> ndarray:
    """Resize a label map by nearest neighbour without losing a target.

    A target that falls between the sampled pixels keeps the pixel nearest its middle.

    Args:
        mask: ``(H, W)`` integer labels, 1 at targets.
        size: Height and width to resize to.

    Returns:
        ``(height, width)``, dtype kept.
    """
    resize = partial(
        cv2.resize,
        dsize=size[::-1],
        # INTER_NEAREST would shift the labels against the image by part of a pixel.
        interpolation=cv2.INTER_NEAREST_EXACT,
    )
    ids, boxes = find_targets(mask)
    resized = resize(mask)
    areas = np.bincount(resize(ids).ravel(), minlength=len(boxes) + 1)
    for number in np.flatnonzero(areas[1:] == 0) + 1:
        pixels = np.argwhere(ids == number)
        middle = pixels[len(pixels) // 2]
        row, col = ((middle + 0.5) * size / mask.shape).astype(int)
        resized[row, col] = 1
    return resized


@TRANSFORMS.register_module()
class SmallTargetResize(Transform):
    """Resize by a random factor that is limited by the smallest target of the image.

    The factor is drawn evenly from ``scale_range``, cut so that no target is left with
    less than about ``min_target`` pixels; an image with a target that has no more than
    that is not shrunk at all, even if ``scale_range`` is below 1. Every target survives
    in the label map; those closer than one pixel after shrinking may merge.

    Required keys: ``img`` ``(H, W, C)``, ``gt_seg_map`` ``(H, W)``, ``seg_fields``.
    Changed keys: these and ``img_shape``. Added key: ``scale_factor`` (width, height).

    Args:
        scale_range: Least and greatest factor; the same twice for a fixed one.
        min_target: Area in pixels that shrinking leaves the smallest target; 9 is a
            target of 3x3.

    Raises:
        DuGIError: If an argument is out of range.
    """

    def __init__(
        self, scale_range: tuple[float, float] = (0.5, 2.0), min_target: float = 9
    ) -> None:
        if not 0 < scale_range[0] <= scale_range[1]:
            raise DuGIError(
                f'scale_range={scale_range}: give (least, greatest), both above 0'
            )
        check_range('min_target', min_target, 1, math.inf)
        self.scale_range = tuple(scale_range)
        self.min_target = min_target

    @cache_randomness
    def draw_scale(self, mask: ndarray) -> float:
        """A factor that the targets of a label map ``(H, W)`` allow."""
        low, high = self.scale_range
        areas = np.bincount(find_targets(mask)[0].ravel())[1:]
        if areas.size:
            least = min(1.0, float(np.sqrt(self.min_target / areas.min())))
            low, high = max(low, least), max(high, least)
        return np.random.uniform(low, high)

    def transform(self, results: dict) -> dict:
        """Resize image and label maps."""
        image = results['img']
        height, width, channels = image.shape
        scale = self.draw_scale(results['gt_seg_map'])
        size = max(1, round(height * scale)), max(1, round(width * scale))
        # Averaging dims a point target a little, sampling would drop it.
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, size[::-1], interpolation=interpolation)
        results['img'] = image.reshape(*size, channels)  # cv2 drops a single channel
        for key in results['seg_fields']:
            results[key] = resize_mask(results[key], size)
        results['img_shape'] = size
        results['scale_factor'] = size[1] / width, size[0] / height
        return results
