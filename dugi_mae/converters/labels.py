"""Index label maps, whose grey values are class numbers: reading and checking them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image
from tqdm import tqdm

from dugi_mae.converters.folders import image_size
from dugi_mae.errors import DuGIError

#: The label value of pixels that are neither trained on nor scored.
IGNORED = 255


def read_labels(path: Path) -> ndarray:
    """Read a label map, ``(H, W)`` class numbers; of a palette PNG its indices.

    Raises:
        DuGIError: If the file is missing, damaged or has more than one 8-bit channel.
    """
    try:
        with Image.open(path) as image:
            mode, labels = image.mode, np.asarray(image)
    except FileNotFoundError:
        raise DuGIError(f'label file {path} does not exist: copy it there') from None
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
            f'{image} is {size[0]}x{size[1]}: mend one of them or take both away'
        )
    counts = np.bincount(pixels.ravel(), minlength=IGNORED + 1)
    unknown = np.flatnonzero(counts[num_classes:IGNORED]) + num_classes
    if unknown.size:
        raise DuGIError(
            f'label file {labels} has the value {unknown[0]}, but {num_classes} '
            f'classes have 0 to {num_classes - 1} (and {IGNORED} is ignored): mend the '
            'file or correct the classes'
        )
    return counts[:num_classes]


def summarize(
    split: str, pairs: Iterable[tuple[Path, Path]], classes: Sequence[str]
) -> str:
    """Check every label map of a split and say what is in it.

    Args:
        split: Its name.
        pairs: Image and label map, each.
        classes: Class names in the order of their label values.

    Returns:
        A line to print: images, those with nothing but the first class, and pixels of
        each class.

    Raises:
        DuGIError: As :func:`count_pixels` does.
    """
    counts = np.stack(
        [
            count_pixels(image, labels, len(classes))
            for image, labels in tqdm(pairs, desc=split, unit='image', leave=False)
        ]
    )
    listed = ', '.join(
        f'{name} {number}'
        for name, number in zip(classes, counts.sum(axis=0), strict=True)
    )
    empty = int((counts[:, 1:].sum(axis=1) == 0).sum())
    return (
        f'{split}: {len(counts)} images ({empty} with nothing but {classes[0]}), '
        f'pixels: {listed}'
    )
