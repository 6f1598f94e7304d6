"""PASCAL VOC annotation files, as infrared sets have them."""

from __future__ import annotations

import contextlib
import math
import re
import reprlib
from pathlib import Path
from xml.etree import ElementTree

from dugi_mae.converters.builder import Item
from dugi_mae.errors import DuGIError


def read_voc(path: Path) -> tuple[tuple[int, int] | None, list[Item]]:
    """Read an annotation file.

    Boxes are those of ``bndbox``, or the horizontal hull of ``polygon``; coordinates
    are kept as they are (no shift by one). The text may be in GBK. Name and depth of
    the image are not read: released files often state wrong ones.

    Returns:
        Width and height as the file states them, if it does, and the objects.
    """
    try:
        root = _parse(path.read_bytes())
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DuGIError(
            f'annotation file {path} is damaged XML ({error}): copy it again'
        ) from None
    size = None
    # Nothing or nonsense is no size: the image has one.
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        width, height = (float(root.findtext(f'size/{s}')) for s in ('width', 'height'))
        size = int(width), int(height)
    return size, [
        Item((node.findtext('name') or '').strip(), _box(node, path))
        for node in root.iter('object')
    ]


def _parse(content: bytes) -> ElementTree.Element:
    """Parse XML also in encodings that expat does not know, such as GBK.

    Files from Chinese annotation tools are in GBK whatever they declare.
    """
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError):
        declared = re.match(rb'\s*<\?xml[^>]*encoding=["\']([\w.-]+)', content)
        for encoding in (declared[1].decode() if declared else 'utf-8', 'gb18030'):
            with contextlib.suppress(
                ElementTree.ParseError, UnicodeDecodeError, LookupError
            ):
                text = content.decode(encoding)
                return ElementTree.fromstring(re.sub(r'^\s*<\?xml.*?\?>', '', text))
        raise


def _box(item: ElementTree.Element, path: Path) -> tuple | None:
    """The horizontal box of an object, if it has any geometry."""

    def numbers(*tags: str) -> list[float]:
        return [_number(geometry.findtext(tag), tag, path) for tag in tags]

    if (geometry := item.find('bndbox')) is not None:
        return tuple(numbers('xmin', 'ymin', 'xmax', 'ymax'))
    if (geometry := item.find('polygon')) is not None:
        xs, ys = numbers('x1', 'x2', 'x3', 'x4'), numbers('y1', 'y2', 'y3', 'y4')
        return min(xs), min(ys), max(xs), max(ys)
    return None


def _number(text: str | None, tag: str, path: Path) -> float:
    """The number in a tag."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not abs(number) < 1e6:  # nan is not, too
        raise DuGIError(
            f'annotation file {path} has {reprlib.repr(text)} as {tag}: a number of '
            'pixels is needed, correct it or copy the file again'
        )
    return number
