"""Label maps, whose grey values are class numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image

from dugi_mae.errors import DuGIError, shorten
from dugi_mae.images.reading import image_size, read_bytes

#: The label value of pixels that are neither trained on nor scored.
IGNORED = 255
#: Formats of Pillow that do not keep values. WebP can, but does not say so.
LOSSY = ('JPEG', 'MPO', 'JPEG2000', 'WEBP')


def read_labels(path: Path) -> ndarray:
    """Read a label map, ``(H, W)`` class numbers; of a palette PNG its indices.

    Raises:
        DuGIError: If the file is missing, damaged, compressed with losses or has more
            than one 8-bit channel.
    """
    content = read_bytes(path)
    try:
        with Image.open(io.BytesIO(content)) as image:
            kind, mode, labels = image.format, image.mode, np.asarray(image)
    except Exception:  # Pillow raises many kinds on damaged files
        raise DuGIError(f'label file {path} is damaged: copy it again') from None
    if kind in LOSSY:
        raise DuGIError(
            f'label file {path} is a {kind}, which changes class numbers at every '
            'edge: give the PNG that it was made from'
        )
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
        Pixels of each class and of those ignored, ``(num_classes + 1,)``.

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
            f'label file {labels} has the value {shorten([*map(str, unknown)])}, but '
            f'{num_classes} classes have 0 to {num_classes - 1} (and {IGNORED} is '
            'ignored): fix the file or correct the classes'
        )
    return np.append(counts[:num_classes], counts[IGNORED])
