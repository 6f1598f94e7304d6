"""The one rule for boxes: of converters, of training and of scoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

CUT = 'boxes cut to the image or corners put in order'
LEFT_OUT = 'boxes of less than a pixel in the image left out'


def clean_box(
    corners: Sequence[float], size: tuple[int, int], notes: Counter[str]
) -> list[float] | None:
    """Put the corners of a box in order and cut it to its image.

    mmdet does not train on boxes narrower or lower than a pixel, but pycocotools scores
    them: they are left out of both.

    Args:
        corners: ``(x1, y1, x2, y2)`` in pixels, any two opposite ones.
        size: Width and height of the image.
        notes: Counts what is changed and left out.

    Returns:
        ``[x, y, width, height]``, or ``None`` if the box is left out.
    """
    width, height = size
    x1, x2 = (min(max(x, 0), width) for x in sorted(corners[::2]))
    y1, y2 = (min(max(y, 0), height) for y in sorted(corners[1::2]))
    if min(x2 - x1, y2 - y1) < 1 - 1e-6:  # x + 1 - x may be less than 1
        notes[LEFT_OUT] += 1
        return None
    if (x1, y1, x2, y2) != tuple(corners):
        notes[CUT] += 1
    return [x1, y1, max(x2 - x1, 1), max(y2 - y1, 1)]
