"""More targets in an image: copies of its own at other places."""

from __future__ import annotations

import math

import numpy as np
from mmengine.registry import TRANSFORMS
from numpy import ndarray
from scipy import ndimage

from dugi_mae.errors import check_range
from dugi_mae.mm.transforms.base import Transform
from dugi_mae.mm.transforms.target_crop import find_targets

#: Pixels around a target from which its background is taken.
_MARGIN = 2
#: Places tried for a copy before it is given up.
_TRIES = 10


def _excess(image: ndarray, target: ndarray) -> ndarray:
    """How far a target stands above its surroundings, 0 beyond its rim.

    Args:
        image: ``(h, w, C)`` float32, a target with its margin.
        target: ``(h, w)`` boolean.

    Returns:
        ``(h, w, C)`` float32.
    """
    # Labels stop where the response has half its height: the rim belongs to it.
    rim = ndimage.binary_dilation(target, np.ones((3, 3)))
    background = np.median(image[~rim] if not rim.all() else image[~target], axis=0)
    return (image - background) * rim[..., None]


@TRANSFORMS.register_module()
class SmallTargetCopyPaste(Transform):
    """Add copies of an image's targets at places without any.

    What is copied is the difference between a target and the median of its
    surroundings, turned at random by right angles and flips; it is added to the
    background at the new place, so that clutter shines through as it would in the
    sensor. Copies neither touch nor cover another target, lie inside the image and
    keep at least half of their contrast where the range of the grey values ends.
    Targets at the border of the image are not copied: part of them may be cut off.

    Required keys: ``img`` ``(H, W, C)``, ``gt_seg_map`` ``(H, W)``. Changed keys: both,
    as copies.

    Args:
        prob: Probability of changing an image that has targets, 0..1.
        max_copies: The number of copies is drawn evenly from 1 to this.
        max_side: Targets with a longer side in pixels are not copied.

    Raises:
        DuGIError: If an argument is out of range.
    """

    def __init__(
        self, prob: float = 0.5, max_copies: int = 3, max_side: int = 32
    ) -> None:
        check_range('prob', prob, 0, 1)
        check_range('max_copies', max_copies, 1, math.inf)
        check_range('max_side', max_side, 1, math.inf)
        self.prob = prob
        self.max_copies = max_copies
        self.max_side = max_side

    def _cut_out(self, image: ndarray, mask: ndarray) -> list[tuple[ndarray, ndarray]]:
        """Excess ``(h, w, C)`` and shape ``(h, w)`` of each target to copy."""
        ids, boxes = find_targets(mask)
        targets = []
        for number, box in enumerate(boxes, 1):
            sides = list(zip(box, mask.shape, strict=True))
            if any(
                side.stop - side.start > self.max_side
                or side.start == 0
                or side.stop == length
                for side, length in sides
            ):
                continue
            rows, cols = (
                slice(max(0, side.start - _MARGIN), min(length, side.stop + _MARGIN))
                for side, length in sides
            )
            shape = ids[rows, cols] == number
            targets.append((_excess(image[rows, cols], shape), shape))
        return targets

    def transform(self, results: dict) -> dict:
        """Paste copies into image and label map."""
        if np.random.rand() >= self.prob:
            return results
        dtype = results['img'].dtype
        image = results['img'].astype(np.float32)
        mask = results['gt_seg_map'].copy()
        targets = self._cut_out(image, mask)
        if not targets:
            return results
        integer = np.issubdtype(dtype, np.integer)
        low, high = (
            (np.iinfo(dtype).min, np.iinfo(dtype).max) if integer else (-np.inf, np.inf)
        )
        for _ in range(np.random.randint(1, self.max_copies + 1)):
            excess, shape = targets[np.random.randint(len(targets))]
            turns, flip = np.random.randint(4), np.random.rand() < 0.5
            excess, shape = np.rot90(excess, turns), np.rot90(shape, turns)
            if flip:
                excess, shape = excess[:, ::-1], shape[:, ::-1]
            room = [n - s + 1 for n, s in zip(mask.shape, shape.shape, strict=True)]
            if min(room) < 1:
                continue
            for _ in range(_TRIES):
                row, col = (np.random.randint(r) for r in room)
                place = np.s_[row : row + shape.shape[0], col : col + shape.shape[1]]
                # Label 255 stands for "unknown": nothing is pasted there either.
                if mask[place].any():
                    continue
                pasted = (image[place] + excess).clip(low, high)
                gain = np.abs(pasted - image[place])[shape].sum()
                if gain >= np.abs(excess[shape]).sum() / 2:
                    image[place] = pasted
                    mask[place][shape] = 1
                    break
        if integer:
            image = np.rint(image)
        results['img'], results['gt_seg_map'] = image.astype(dtype), mask
        return results
