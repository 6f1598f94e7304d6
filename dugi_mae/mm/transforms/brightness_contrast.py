"""Random brightness and contrast, for any number of channels."""

from __future__ import annotations

import numpy as np
from mmengine.registry import TRANSFORMS

from dugi_mae.errors import check_range
from dugi_mae.mm.transforms.base import Transform


@TRANSFORMS.register_module()
class InfraredBrightnessContrast(Transform):
    """Stretch the grey values around their mean, then shift them.

    Required and changed key: ``img`` ``(H, W)`` or ``(H, W, C)`` in ``[0, 255]``, dtype
    kept.

    Args:
        contrast: The factor is drawn evenly in its logarithm, from the exponential of
            minus this to that of this.
        brightness: The shift is drawn evenly up to this, down or up.

    Raises:
        DuGIError: If an argument is out of range.
    """

    def __init__(self, contrast: float = 0.3, brightness: float = 20) -> None:
        check_range('contrast', contrast, 0, 5)
        check_range('brightness', brightness, 0, 255)
        self.contrast = contrast
        self.brightness = brightness

    def transform(self, results: dict) -> dict:
        """Change the image."""
        image = results['img']
        factor = np.exp(np.random.uniform(-self.contrast, self.contrast))
        shift = np.random.uniform(-self.brightness, self.brightness)
        mean = image.mean(dtype=np.float32)
        changed = (image - mean) * np.float32(factor) + (mean + np.float32(shift))
        changed = changed.clip(0, 255)
        if image.dtype.kind != 'f':
            changed = np.rint(changed)
        results['img'] = changed.astype(image.dtype)
        return results
