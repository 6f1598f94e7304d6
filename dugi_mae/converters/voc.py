"""PASCAL VOC annotation files, as infrared sets have them."""

from __future__ import annotations

import contextlib
import math
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from dugi_mae.converters.builder import CocoBuilder
from dugi_mae.errors import DuGIError

#: Corners of a polygon in the order of the numbers in their tags.
CORNERS = range(1, 5)


class VocObject(NamedTuple):
    """One object: its class name and ``(x1, y1, x2, y2)``, ``None`` without a box."""

    name: str
    box: tuple[float, float, float, float] | None


class VocAnnotation(NamedTuple):
    """One file: ``(width, height)`` as it states them, if it does, and its objects.

    Name and depth of the image are not read: released files often state wrong ones.
    """

    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def read_voc(path: Path) -> VocAnnotation:
    """Read an annotation file.

    Boxes are those of ``bndbox``, or the horizontal hull of ``polygon``; coordinates
    are kept as they are (no shift by one).
    """
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise DuGIError(
            f'annotation file {path} does not exist: copy the complete set'
        ) from None
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        raise DuGIError(
            f'annotation file {path} is damaged XML ({error}): copy it again'
        ) from None
    size = None
    # Nothing or nonsense is no size: the image has one.
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        width, height = (float(root.findtext(f'size/{s}')) for s in ('width', 'height'))
        size = int(width), int(height)
    return VocAnnotation(
        size,
        tuple(
            VocObject((item.findtext('name') or '').strip(), _box(item, path))
            for item in root.iter('object')
        ),
    )


def _number(node: ElementTree.Element, tag: str, path: Path) -> float:
    """The number in a tag."""
    text = node.findtext(tag)
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not abs(number) < 1e6:  # nan is not, too
        raise DuGIError(
            f'annotation file {path} has {reprlib.repr(text)} as {tag} of a {node.tag}'
            ': a number of pixels is needed, correct it or copy the file again'
        )
    return number


def _box(item: ElementTree.Element, path: Path) -> tuple | None:
    """The horizontal box of an object, if it has any geometry."""
    box, polygon = item.find('bndbox'), item.find('polygon')
    if box is not None:
        return tuple(
            _number(box, tag, path) for tag in ('xmin', 'ymin', 'xmax', 'ymax')
        )
    if polygon is not None:
        xs = [_number(polygon, f'x{corner}', path) for corner in CORNERS]
        ys = [_number(polygon, f'y{corner}', path) for corner in CORNERS]
        return min(xs), min(ys), max(xs), max(ys)
    return None


def add_voc(
    builder: CocoBuilder,
    names: Iterable[str],
    images: Mapping[str, Path],
    annotations: Mapping[str, Path],
) -> CocoBuilder:
    """Add images with the objects of their annotation files to a split.

    Args:
        builder: The split.
        names: Those of its images; images without an annotation file are counted.
        images: Images by name; their own size counts, not the annotations' one.
        annotations: VOC files by name.

    Returns:
        ``builder``.
    """
    names = list(names)
    builder.note_missing([name for name in names if name not in annotations])
    for name in names:
        if name in annotations:
            stated, objects = read_voc(annotations[name])
            builder.add_file(images[name], stated)
            for item in objects:
                builder.add_object(item.name, item.box)
    return builder


def annotations_by_stem(folder: Path) -> dict[str, Path]:
    """The XML files of a folder by their names without extension."""
    found = {path.stem: path for path in sorted(folder.glob('[!.]*.xml'))}
    if not found:
        raise DuGIError(f'folder {folder} holds no XML file: copy the complete set')
    return found
