"""Images, annotations and categories of a COCO file, each on its own."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence

from dugi_mae.errors import DuGIError

#: The lists of a COCO file, and what an item of each must have.
KEYS = dict(
    images=('id', 'file_name', 'width', 'height'),
    annotations=('image_id', 'category_id', 'bbox'),
    categories=('id', 'name'),
)
OPTIONAL_KEYS = ('area', 'iscrowd', 'segmentation')


def check_item(item: object, keys: Sequence[str], what: str) -> None:
    """Raise unless an item of a list has the keys that are needed, of their types.

    Args:
        item: An image, annotation or category as parsed.
        keys: What it must have.
        what: What messages call it.
    """
    for key in keys:
        if not isinstance(item, dict) or key not in item:
            raise DuGIError(
                f'{what} has no {key!r}: this is not COCO format, write the file again'
            )
    for key in (*keys, *OPTIONAL_KEYS):
        fits, wanted = _TYPES[key]
        if key in item and not fits(item[key]):
            raise DuGIError(
                f'{what} has {key}={reprlib.repr(item[key])}: {wanted} is needed, '
                'correct it or write the file again'
            )


def _is_number(value: object, most: float = 1e6) -> bool:
    """Whether a value is a number of pixels; JSON's NaN and Infinity are none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) < most


def _is_id(value: object) -> bool:
    """Whether it is text or a whole number, as which tables also write 1.0."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_size(value: object) -> bool:
    return _is_number(value) and value > 0 and value == int(value)


def _is_box(value: object) -> bool:
    return isinstance(value, list) and list(map(_is_number, value)) == [True] * 4


def _is_segmentation(value: object) -> bool:
    """Whether it is a list of polygons, which may be empty, or run lengths.

    Whether these fit their image matters to those who use masks, see
    :mod:`dugi_mae.annotations.coco_masks`.
    """
    if value is None or isinstance(value, list):
        polygons = value or []
        return all(isinstance(p, list) and all(map(_is_number, p)) for p in polygons)
    if not isinstance(value, dict) or set(value) != {'size', 'counts'}:
        return False
    counts = value['counts']
    return isinstance(counts, str) or (
        isinstance(counts, list) and all(isinstance(n, int) for n in counts)
    )


#: What a value must be, and what messages call that.
_TYPES: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(
        ('id', 'image_id', 'category_id'), (_is_id, 'a whole number or string')
    ),
    **dict.fromkeys(('file_name', 'name'), (lambda v: isinstance(v, str), 'a string')),
    **dict.fromkeys(('width', 'height'), (_is_size, 'a number of pixels')),
    'bbox': (
        _is_box,
        'a list of four numbers x, y, width, height (rotated boxes: take the '
        'horizontal annotation files)',
    ),
    'area': (lambda v: _is_number(v, 1e12), 'a number'),
    'iscrowd': (lambda v: v in (0, 1, None), '0 or 1'),
    'segmentation': (_is_segmentation, 'a list of polygons or of run lengths'),
}
