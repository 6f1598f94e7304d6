"""Random brightness and contrast, for any number of channels."""

from __future__ import annotations

import numpy as np
from mmengine.registry import TRANSFORMS
from numpy import ndarray

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.mm.transforms.base import Transform


@TRANSFORMS.register_module()
class InfraredBrightnessContrast(Transform):
    """Shift all grey values, then stretch them, each with probability one half.

    What mmseg's ``PhotoMetricDistortion`` does to grey images; that one takes three
    channels only.

    Required and changed key: ``img`` ``(H, W, C)`` in ``[0, 255]``, dtype kept.

    Args:
        brightness_delta: The shift is drawn evenly up to this, down or up.
        contrast_range: Least and greatest factor.

    Raises:
        DuGIError: If an argument is out of range.
    """

    def __init__(
        self,
        brightness_delta: float = 32,
        contrast_range: tuple[float, float] = (0.5, 1.5),
    ) -> None:
        check_range('brightness_delta', brightness_delta, 0, 255)
        if not 0 < contrast_range[0] <= contrast_range[1]:
            raise DuGIError(
                f'contrast_range={contrast_range}: give (least, greatest), both above 0'
            )
        self.brightness_delta = brightness_delta
        self.contrast_range = tuple(contrast_range)

    def change(self, image: ndarray, factor: float, shift: float) -> ndarray:
        """``factor * (image + shift)``, cut to ``[0, 255]`` after either step."""
        changed = (image.astype(np.float32) + shift).clip(0, 255) * factor
        changed = changed.clip(0, 255)
        if image.dtype.kind != 'f':
            changed = np.rint(changed)
        return changed.astype(image.dtype)

    def transform(self, results: dict) -> dict:
        """Change the image."""
        delta, shift, factor = self.brightness_delta, 0.0, 1.0
        if np.random.rand() < 0.5:
            shift = np.random.uniform(-delta, delta)
        if np.random.rand() < 0.5:
            factor = np.random.uniform(*self.contrast_range)
        results['img'] = self.change(results['img'], factor, shift)
        return results
