"""A random crop that may aim at small targets."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmengine.registry import TRANSFORMS
from numpy import ndarray

from dugi_mae.annotations.label_maps import IGNORED
from dugi_mae.errors import DuGIError, check_range
from dugi_mae.evaluation.target_matching import find_components
from dugi_mae.mm.transforms.base import Transform


def crop_range(start: int, stop: int, side: float, size: int) -> tuple[float, float]:
    """Where a crop may begin so that it holds all of ``[start, stop)``.

    Args:
        start: First row (or column) of a target.
        stop: One past its last.
        side: Of the crop; a target that is longer fills it.
        size: Of the image. The crop lies inside, or the image inside the crop.

    Returns:
        Least and greatest beginning.
    """
    inside = sorted((0, size - side))
    low, high = np.clip(sorted((start, stop - side)), *inside)
    return low, high


@TRANSFORMS.register_module()
class SmallTargetCrop(Transform):
    """Crop around a target or anywhere, enlarged at random.

    With probability ``prob`` the crop holds one complete target, picked at random, at a
    place drawn evenly from all those that keep it intact. Other crops, and all of
    images without a target, lie anywhere inside the image. A smaller image continues as
    in a mirror.

    Required keys: ``img`` ``(H, W)`` or ``(H, W, C)``, ``gt_seg_map`` ``(H, W)`` in {0,
    1, 255 = ignored}. Changed keys: these and ``img_shape``.

    Args:
        crop_size: ``(height, width)`` in pixels.
        prob: Probability of aiming at a target, 0..1.
        max_zoom: The factor is drawn from 1 to this, evenly in its logarithm. Large
            ones make targets of clutter.

    Raises:
        DuGIError: If an argument is out of range.
    """

    def __init__(
        self, crop_size: tuple[int, int], prob: float = 0.5, max_zoom: float = 1.0
    ) -> None:
        if min(crop_size) < 1:
            raise DuGIError(f'crop_size={crop_size}: give (height, width) in pixels')
        check_range('prob', prob, 0, 1)
        check_range('max_zoom', max_zoom, 1, 100)
        self.crop_size = tuple(crop_size)
        self.prob = prob
        self.max_zoom = max_zoom

    @cache_randomness
    def place(self, mask: ndarray) -> tuple[float, float, float]:
        """Zoom, first row and first column of a crop of a label map ``(H, W)``."""
        zoom = self.max_zoom ** np.random.rand()
        span = [(0, size) for size in mask.shape]
        if np.random.rand() < self.prob:
            boxes = find_components(mask == 1).boxes
            if len(boxes):
                left, top, right, bottom = boxes[np.random.randint(len(boxes))]
                span = [(top, bottom), (left, right)]
        starts = [
            np.random.uniform(*crop_range(*ends, side / zoom, size))
            for ends, side, size in zip(span, self.crop_size, mask.shape, strict=True)
        ]
        # Without zoom no pixel is between two of the image.
        return zoom, *(starts if zoom > 1 else np.rint(starts))

    def transform(self, results: dict) -> dict:
        """Crop image and label map."""
        zoom, top, left = self.place(results['gt_seg_map'])
        # From the centre of a pixel of the crop to the same point of the image.
        rows = [[1 / zoom, 0, left + (1 / zoom - 1) / 2]]
        rows += [[0, 1 / zoom, top + (1 / zoom - 1) / 2]]

        def warp(array: ndarray) -> ndarray:
            return cv2.warpAffine(
                array,
                np.array(rows),
                self.crop_size[::-1],
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )

        image = results['img']
        shape = (*self.crop_size, *image.shape[2:])  # cv2 drops a single channel
        results['img'] = warp(image).reshape(shape)
        labels = results['gt_seg_map']
        target, ignored = (
            warp((labels == value).astype(np.float32)) >= 0.5 for value in (1, IGNORED)
        )
        results['gt_seg_map'] = np.where(ignored, IGNORED, target).astype(np.uint8)
        results['img_shape'] = self.crop_size
        return results
