"""Masks of small targets, in all the forms they are released in."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from dugi_mae.annotations.label_maps import IGNORED
from dugi_mae.errors import DuGIError
from dugi_mae.evaluation.target_matching import find_components

#: Share of an image above which "target" must be the background.
MAX_SHARE = 0.5
#: Difference between channels from which a pixel has a colour; JPEG makes smaller ones.
COLOURED = 64


def target_mask(
    pixels: ndarray,
    path: str = 'mask',
    threshold: float | None = None,
    ignore_value: int | None = None,
) -> tuple[ndarray, int]:
    """Tell targets from background in a mask.

    Masks come as 1-bit, 0/1, 0/255, with several equal channels or a palette, and with
    grey edges. A pixel is target from half of the mask's largest value on. What can be
    read in two ways is refused. Beside 0 and 1 the value 255 is "ignored" if it fills a
    side of the image, and stray pixels are 1 if some targets are 255 alone.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)`` in BGR(A) order.
        path: Name of the file, for messages.
        threshold: Value from which a pixel is target, in place of half of the largest.
        ignore_value: Value of pixels that are neither trained on nor scored.

    Returns:
        The mask, ``(H, W)`` uint8 in {0, 1, 255 = ignored}, and the number of pixels
        between black and the largest value.

    Raises:
        DuGIError: If the mask is ambiguous.
    """
    grey = _one_channel(pixels, path)
    ignored = np.zeros(grey.shape, bool)
    if ignore_value is not None:
        ignored = grey == ignore_value
    elif threshold is None:
        ignored = _find_ignored(grey, path)
    counted = np.where(ignored, 0, grey)
    largest = counted.max()
    between = int(((counted > 0) & (counted < largest)).sum())
    if threshold is None:
        if between and largest < 128 and counted.dtype.kind != 'f':
            values = np.unique(counted)
            raise DuGIError(
                f'mask {path} has the values {", ".join(map(str, values[:5]))}'
                f'{", ..." if len(values) > 5 else ""}: they may be grey or numbers of '
                'targets; set the threshold of LoadTargetMask (1 for numbers), or '
                'write 0 and 255'
            )
        threshold = max(largest / 2, np.finfo(np.float64).tiny)
    target = (counted >= threshold) & ~ignored
    share = target.sum() / max((~ignored).sum(), 1)
    if share > MAX_SHARE:
        raise DuGIError(
            f'mask {path} calls {share:.0%} of the image target: invert it, so that '
            'the background is black, or leave it out'
        )
    return np.where(ignored, IGNORED, target).astype(np.uint8), between


def _one_channel(pixels: ndarray, path: str) -> ndarray:
    """The largest of the colour channels, ``(H, W)``.

    A palette may give the target a colour whose first channel is zero.
    """
    if pixels.ndim == 2:
        return pixels
    alpha = pixels[..., 3:] if pixels.shape[2] > 3 else pixels[..., :0]
    colours = pixels[..., :3]
    grey = colours.max(axis=2)
    if alpha.size and alpha.min() != alpha.max() and grey.min() == grey.max():
        raise DuGIError(
            f'mask {path} has one colour, and shapes in its alpha channel alone: save '
            'alpha as a grey image of 0 and 255'
        )
    coloured = colours[grey - colours.min(axis=2) >= COLOURED]
    found = np.unique(coloured, axis=0)
    if len(found) > 1:
        raise DuGIError(
            f'mask {path} has {len(found)} colours, of which any may mean target: save '
            'it as a grey image of 0 and 255'
        )
    return grey


def _find_ignored(grey: ndarray, path: str) -> ndarray:
    """Where 255 means "ignored" beside targets of 1, ``(H, W)`` boolean."""
    marked = grey == IGNORED
    if not np.isin(np.unique(grey), (0, 1, IGNORED)).all():
        return np.zeros_like(marked)
    if not (marked.any() and (grey == 1).any()):
        return np.zeros_like(marked)
    if any(side.all() for side in (marked[0], marked[-1], marked[:, 0], marked[:, -1])):
        return marked
    components = find_components(grey > 0).ids
    if np.setdiff1d(components[marked], components[grey == 1]).size:
        return np.zeros_like(marked)  # targets of 255, and stray pixels
    raise DuGIError(
        f'mask {path} has the values 0, 1 and {IGNORED}, and either may be the target: '
        f'set ignore_value={IGNORED} or threshold={IGNORED} of LoadTargetMask'
    )
