"""A random crop that aims at small targets, and at what is taken for them."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmengine.registry import TRANSFORMS
from scipy import ndimage

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.mm.transforms.base import Transform

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
#: Side in pixels of the square into which clutter that looks like a target fits.
_SPOT = 11


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


def draw_clutter(image: np.ndarray, mask: np.ndarray) -> tuple[slice, slice] | None:
    """Draw a bright spot that is no target.

    A pixel is drawn in proportion to the square of its white top-hat, so that the
    strongest clutter comes most often, and noise where there is nothing else.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``, 8-bit, 16-bit or float.
        mask: ``(H, W)``, 1 at targets.

    Returns:
        Its row and column; ``None`` where nothing stands out.
    """
    grey = image if image.ndim == 2 else image.mean(axis=2)
    square = np.ones((_SPOT, _SPOT), np.uint8)
    grey = grey.astype(np.float32)
    weight = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square).astype(np.float64) ** 2
    # A target's rim is bright too.
    weight[cv2.dilate((mask == 1).astype(np.uint8), square) > 0] = 0
    total = np.cumsum(weight)
    if not total[-1] > 0:
        return None
    index = np.searchsorted(total, np.random.rand() * total[-1], side='right')
    row, col = np.unravel_index(min(index, total.size - 1), weight.shape)
    return slice(row, row + 1), slice(col, col + 1)


@TRANSFORMS.register_module()
class SmallTargetCrop(Transform):
    """Crop around a target, around clutter or anywhere.

    With probability ``prob`` the crop holds one complete target, picked at
    random, at a place drawn evenly from all those that keep it intact. Of the other
    crops a share of ``clutter_prob`` holds a bright spot that is no target, see
    :func:`draw_clutter`. The rest, and crops of images without such a place, lie
    anywhere. A side shorter than the crop is kept as it is; the host's preprocessor
    pads it.

    Required keys: ``img`` ``(H, W, C)``, ``gt_seg_map`` ``(H, W)``, ``seg_fields``.
    Changed keys: these and ``img_shape``.

    Args:
        crop_size: ``(height, width)`` in pixels.
        prob: Probability of aiming at a target, 0..1.
        clutter_prob: Probability, in crops that do not, of aiming at clutter, 0..1.

    Raises:
        DuGIError: If an argument is out of range.
    """

    def __init__(
        self, crop_size: tuple[int, int], prob: float = 0.5, clutter_prob: float = 0.0
    ) -> None:
        if min(crop_size) < 1:
            raise DuGIError(f'crop_size={crop_size}: give (height, width) in pixels')
        check_range('prob', prob, 0, 1)
        check_range('clutter_prob', clutter_prob, 0, 1)
        self.crop_size = tuple(crop_size)
        self.prob = prob
        self.clutter_prob = clutter_prob

    @cache_randomness
    def place(self, image: np.ndarray, mask: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of the crop for an image and its label map ``(H, W)``."""
        crop = [min(c, n) for c, n in zip(self.crop_size, mask.shape, strict=True)]
        ranges = [(0, n - c) for c, n in zip(crop, mask.shape, strict=True)]
        box = None
        if np.random.rand() < self.prob:
            _, targets = find_targets(mask)
            box = targets[np.random.randint(len(targets))] if targets else None
        elif np.random.rand() < self.clutter_prob:
            box = draw_clutter(image, mask)
        if box is not None:
            ranges = [
                crop_range(side.start, side.stop, c, n)
                for side, c, n in zip(box, crop, mask.shape, strict=True)
            ]
        starts = [np.random.randint(low, high + 1) for low, high in ranges]
        rows, cols = (slice(s, s + c) for s, c in zip(starts, crop, strict=True))
        return rows, cols

    def transform(self, results: dict) -> dict:
        """Crop image and label maps."""
        rows, cols = self.place(results['img'], results['gt_seg_map'])
        for key in ('img', *results['seg_fields']):
            results[key] = results[key][rows, cols]
        results['img_shape'] = results['img'].shape[:2]
        return results
