"""A random crop that cuts no small target in two when it aims at one."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmengine.registry import TRANSFORMS
from scipy import ndimage

from dugi_mae.errors import DuGIError

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def find_targets(mask: np.ndarray) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """The 8-connected targets of a label map.

    Args:
        mask: ``(H, W)``, 1 at targets.

    Returns:
        ``(H, W)`` ids from 1 on, and the rows and columns of each target.
    """
    ids, _ = ndimage.label(mask == 1, _EIGHT_NEIGHBOURS)
    return ids, ndimage.find_objects(ids)


def crop_range(start: int, stop: int, crop: int, length: int) -> tuple[int, int]:
    """Where a crop may begin so that ``[start, stop)`` lies inside it.

    Args:
        start: First row (or column) of a target.
        stop: One past its last.
        crop: Side of the crop, at most ``length``.
        length: Side of the image.

    Returns:
        Least and greatest beginning, both allowed. A target longer than the crop is
        filled by it from end to end.
    """
    low, high = max(0, stop - crop), min(start, length - crop)
    return (low, high) if low <= high else (high, low)


@TRANSFORMS.register_module()
class TargetCrop(BaseTransform):
    """Crop around a target or anywhere.

    With probability ``prob`` the crop holds one whole target of the image, picked at
    random, at a place drawn evenly from all those that keep it whole. Otherwise, and in
    images without target, it lies anywhere. A side shorter than the crop is kept as it
    is; the host's preprocessor pads it.

    Required keys: ``img`` ``(H, W, C)``, ``gt_seg_map`` ``(H, W)``, ``seg_fields``.
    Changed keys: these and ``img_shape``.

    Args:
        crop_size: ``(height, width)`` in pixels.
        prob: Probability of aiming at a target, 0..1.

    Raises:
        DuGIError: If ``crop_size`` or ``prob`` is out of range.
    """

    def __init__(self, crop_size: tuple[int, int], prob: float = 0.5) -> None:
        if len(crop_size) != 2 or min(crop_size) < 1:
            raise DuGIError(f'crop_size={crop_size}: give (height, width) in pixels')
        if not 0 <= prob <= 1:
            raise DuGIError(f'prob={prob} is no probability: choose from 0 to 1')
        self.crop_size = tuple(crop_size)
        self.prob = prob

    @cache_randomness
    def place(self, mask: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of the crop for a label map ``(H, W)``."""
        crop = [min(c, n) for c, n in zip(self.crop_size, mask.shape, strict=True)]
        ranges = [(0, n - c) for c, n in zip(crop, mask.shape, strict=True)]
        if np.random.rand() < self.prob:
            _, targets = find_targets(mask)
            if targets:
                box = targets[np.random.randint(len(targets))]
                ranges = [
                    crop_range(side.start, side.stop, c, n)
                    for side, c, n in zip(box, crop, mask.shape, strict=True)
                ]
        starts = [np.random.randint(low, high + 1) for low, high in ranges]
        rows, cols = (slice(s, s + c) for s, c in zip(starts, crop, strict=True))
        return rows, cols

    def transform(self, results: dict) -> dict:
        """Crop image and label maps."""
        rows, cols = self.place(results['gt_seg_map'])
        for key in ('img', *results['seg_fields']):
            results[key] = results[key][rows, cols]
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size}, prob={self.prob})'
