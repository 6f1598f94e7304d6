"""Infrared masked pre-training (DuGI-MAE): models, weights and readers in PyTorch.

Importing this module needs torch, NumPy and safetensors alone and registers nothing.
For OpenMMLab a config names ``dugi_mae.mmpretrain``, ``dugi_mae.mmseg`` or
``dugi_mae.mmdet`` in its ``custom_imports``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DuGIError
from .version import __version__
from .zoo import (
    create_encoder,
    create_pretrainer,
    create_small_target_net,
    list_models,
)

if TYPE_CHECKING:
    from numpy import ndarray


def load_infrared(path: str | Path, **options) -> ndarray:
    """Read an infrared image of any format and bit depth as 8-bit grey.

    Args:
        path: PNG, JPEG, TIFF, BMP, WebP, ...; 8-bit, 16-bit or float.
        **options: Of :class:`dugi_mae.images.InfraredReader`, such as ``channels=1`` or
            ``normalizer='minmax'``.

    Returns:
        ``(H, W, channels)`` uint8, by default three equal channels.

    Raises:
        DuGIError: If the file is missing, damaged or no image.
    """
    # Here: the image readers take longer to import than all the rest.
    from .images import load_infrared as load

    return load(path, **options)


def enable_safe_loading() -> AbstractContextManager:
    """Let mmengine read checkpoints without running code that they may contain.

    Takes effect at once, for ``load_from``, ``resume``, ``init_cfg`` of type
    ``Pretrained`` and the hosts' inferencers alike, and lasts until the returned
    context ends, or for good where it is not used as one. Needs mmengine.

    Example:
        >>> with dugi_mae.enable_safe_loading():  # doctest: +SKIP
        ...     model = init_detector(config, 'downloaded.pth')
    """
    from .mm.safe_loading import enable_safe_loading as enable

    return enable()


__all__ = [
    'DuGIError',
    '__version__',
    'create_encoder',
    'create_pretrainer',
    'create_small_target_net',
    'enable_safe_loading',
    'list_models',
    'load_infrared',
]
