"""Label maps, whose grey values are class numbers, and masks of targets."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image

from dugi_mae.errors import DuGIError
from dugi_mae.images.reading import image_size, read_bytes

#: The label value of pixels that are neither trained on nor scored.
IGNORED = 255


def binary_mask(pixels: ndarray) -> ndarray:
    """Whatever is not black is target: masks are released in many forms.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)`` in BGR(A) order; alpha does not count.

    Returns:
        ``(H, W)`` uint8 in {0, 1}.
    """
    if pixels.ndim == 3:
        # A palette may give the target a colour whose first channel is zero.
        pixels = pixels[..., :3].max(axis=2)
    return (pixels > 0).astype(np.uint8)


def read_labels(path: Path) -> ndarray:
    """Read a label map, ``(H, W)`` class numbers; of a palette PNG its indices.

    Raises:
        DuGIError: If the file is missing, damaged or has more than one 8-bit channel.
    """
    content = read_bytes(path)
    try:
        with Image.open(io.BytesIO(content)) as image:
            mode, labels = image.mode, np.asarray(image)
    except Exception:  # Pillow raises many kinds on damaged files
        raise DuGIError(f'label file {path} is damaged: copy it again') from None
    if mode not in ('1', 'L', 'P'):
        raise DuGIError(
            f'label file {path} has pixels of the kind {mode}: give a PNG of one 8-bit '
            'channel that holds class numbers, not colours'
        )
    return labels.astype(np.uint8)


def count_pixels(image: Path, labels: Path, num_classes: int) -> ndarray:
    """Count the pixels of each class in one label map, after checking it.

    Args:
        image: The image; only its header is read.
        labels: Its label map.
        num_classes: Label values are 0 to ``num_classes - 1``, and 255 for pixels that
            are ignored.

    Returns:
        Pixels of each class, ``(num_classes,)``.

    Raises:
        DuGIError: If a value is no class or the sizes differ.
    """
    pixels = read_labels(labels)
    size, label_size = image_size(image), pixels.shape[::-1]
    if size != label_size:
        raise DuGIError(
            f'label file {labels} is {label_size[0]}x{label_size[1]} pixels, its image '
            f'{image} is {size[0]}x{size[1]}: fix one of them or remove both'
        )
    counts = np.bincount(pixels.ravel(), minlength=IGNORED + 1)
    unknown = np.flatnonzero(counts[num_classes:IGNORED]) + num_classes
    if unknown.size:
        raise DuGIError(
            f'label file {labels} has the value {unknown[0]}, but {num_classes} '
            f'classes have 0 to {num_classes - 1} (and {IGNORED} is ignored): fix the '
            'file or correct the classes'
        )
    return counts[:num_classes]
