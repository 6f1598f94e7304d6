"""Masks of small targets, in all the forms they are released in; needs mmseg."""

from __future__ import annotations

import functools
import logging

import cv2
import numpy as np
from mmengine.logging import print_log
from mmseg.registry import TRANSFORMS

from dugi_mae.annotations.target_masks import target_mask
from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.images.reading import decode
from dugi_mae.mm.transforms.base import Transform
from dugi_mae.mm.transforms.loading import read_file


@functools.cache
def _report(path: str, between: int) -> None:
    """Say once that a mask has grey pixels."""
    print_log(
        f'mask {path}: {between} pixels are between black and its largest value, those '
        'from the threshold of LoadTargetMask on are target',
        'current',
        logging.WARNING,
    )


@TRANSFORMS.register_module()
class LoadTargetMask(Transform):
    """Load a binary mask, see :func:`dugi_mae.annotations.target_masks.target_mask`.

    Masks come as 1-bit, 0/1, 0/255, with grey edges and with several channels. mmseg's
    own loader would take 255 for "ignore" and drop every target without a word.

    Required keys: ``seg_map_path``, ``img_path``, ``ori_shape``. Added keys:
    ``gt_seg_map`` ``(H, W)`` uint8 in {0, 1, 255 = ignored}; ``seg_fields`` is
    extended. Without ``seg_map_path``, as in a host's inferencer, nothing is done.

    Args:
        on_mismatch: What to do with a mask of another size than its image:
            ``'error'``, or ``'resize'`` it to the image by nearest neighbour.
        threshold: Value from which a pixel is target; half of the mask's largest value
            by default.
        ignore_value: Value of pixels that are neither trained on nor scored.
        backend_args: See :func:`mmengine.fileio.get`.
    """

    def __init__(
        self,
        on_mismatch: str = 'error',
        threshold: float | None = None,
        ignore_value: int | None = None,
        backend_args: dict | None = None,
    ) -> None:
        check_choice('on_mismatch', on_mismatch, ('error', 'resize'))
        self.on_mismatch = on_mismatch
        self.threshold = threshold
        self.ignore_value = ignore_value
        self.backend_args = backend_args

    def load(self, path: str) -> np.ndarray:
        """Read one mask, ``(H, W)`` uint8 in {0, 1, 255 = ignored}."""
        pixels = decode(read_file(path, self.backend_args), path)
        mask, between = target_mask(pixels, path, self.threshold, self.ignore_value)
        if between:
            _report(path, between)
        return mask

    def transform(self, results: dict) -> dict:
        """Add the mask at ``results['seg_map_path']`` to the results."""
        if 'seg_map_path' not in results:
            return results
        path = results['seg_map_path']
        mask = self.load(path)
        height, width = results['ori_shape']
        if mask.shape != (height, width):
            if self.on_mismatch == 'error':
                raise DuGIError(
                    f'mask {path} is {mask.shape[1]}x{mask.shape[0]} pixels, its image '
                    f'{results["img_path"]} is {width}x{height}: fix the mask, remove '
                    "the image from the list or set on_mismatch='resize'"
                )
            mask = cv2.resize(
                mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
            )
        results['gt_seg_map'] = mask
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results
