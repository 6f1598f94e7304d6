"""JPEG beyond its pixels: where it ends, and what thermal cameras put into it."""

from __future__ import annotations

import io
import mmap
import re
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.errors import BadImageError

JPEG_START = b'\xff\xd8\xff'
#: What begins a segment: neither a stuffed byte of a scan nor a marker without length.
_MARKER = re.compile(rb'\xff+([^\x00\x01\xd0-\xd8\xff])')
_END, _SCAN, _APP1 = b'\xd9', b'\xda', b'\xe1'
#: Most that the proportions of a picture and its temperatures may differ.
_TOLERANCE = 0.05
#: Place of the number of records, of 32 bytes each, in FLIR's first segment.
_RECORD_COUNT = 2 + 8 + 28
#: Whether the warning was given: a byte that worker processes share, so once a run.
_WARNED = mmap.mmap(-1, 1)


class Segment(NamedTuple):
    """A marker, and where what belongs to it begins and ends in the file."""

    marker: bytes
    start: int
    end: int


def walk_segments(content: bytes) -> Iterator[Segment]:
    """The segments of a JPEG up to its end marker.

    Thumbnails lie inside of segments and other data behind the end, both with markers
    of their own: they are passed over. Scans are searched for the next marker.
    """
    place = 2
    while match := _MARKER.search(content, place):
        start = place = match.end()
        if match[1] != _END:
            place += int.from_bytes(content[start : start + 2], 'big')
        yield Segment(match[1], start, place)
        if match[1] == _END:
            return


def jpeg_end(content: bytes) -> int | None:
    """Where the image ends, ``None`` if it is cut short."""
    scanned = False
    for segment in walk_segments(content):
        if segment.marker == _END:
            return segment.end if scanned else None
        scanned |= segment.marker == _SCAN
    return None


def flir_segment(content: bytes) -> Segment | None:
    """The first segment with measurements of a camera of FLIR's, if there is one."""
    for segment in walk_segments(content):
        if segment.marker in (_SCAN, _END):
            break
        if segment.marker == _APP1 and content.startswith(b'FLIR\0', segment.start + 2):
            return segment
    return None


def read_temperatures(
    content: bytes, size: tuple[int, int], path: str = 'image'
) -> ndarray | None:
    """The temperatures of a radiometric JPEG.

    Sensors have fewer pixels than the pictures that cameras make of them. Labels refer
    to the picture, so each measurement is repeated to its size.

    Args:
        content: The encoded file.
        size: Width and height of the picture.
        path: Its name, for messages.

    Returns:
        ``(H, W)`` float32 in kelvin; ``None``, and once a run a warning, without the
        package flyr.

    Raises:
        BadImageError: If they cannot be read, or do not cover the picture.
    """
    if not find_spec('flyr'):
        if not _WARNED[0]:
            _WARNED[0] = 1
            warnings.warn(
                f'{path} holds temperatures, of which the colours of its palette are '
                "read: pip install 'dugi-mae[images]' to read temperatures from this "
                'and the other radiometric JPEGs',
                stacklevel=2,
            )
        return None
    import flyr

    count = flir_segment(content).start + _RECORD_COUNT
    try:
        # flyr would go through as many as a damaged header claims.
        if 32 * int.from_bytes(content[count : count + 4], 'big') > len(content):
            raise ValueError('more records than the file can hold')
        with np.errstate(all='ignore'):
            kelvin = flyr.unpack(io.BytesIO(content)).kelvin.astype(np.float32)
        height, width = kelvin.shape
    except Exception as error:  # flyr raises many kinds
        raise BadImageError(
            f'{path} holds temperatures that cannot be read ({type(error).__name__}): '
            'copy it again, or save it without its FLIR segments to read its colours',
            'radiometric',
        ) from None
    stretch = (size[0] / width) / (size[1] / height)
    if abs(stretch - 1) > _TOLERANCE:
        raise BadImageError(
            f'{path} is a picture of {size[0]}x{size[1]} pixels with {width}x{height} '
            'temperatures, which do not cover it: save them as a TIFF of their own',
            'radiometric',
        )
    return cv2.resize(kelvin, size, interpolation=cv2.INTER_NEAREST_EXACT)


def jpeg_remarks(content: bytes) -> list[str]:
    """What is done with a JPEG that not every reader does alike."""
    remarks = []
    if flir_segment(content):
        read = 'temperatures' if find_spec('flyr') else 'colours'
        remarks.append(f'radiometric: {read} read')
    if content[jpeg_end(content) :].strip(b'\0\r\n'):
        remarks.append('data behind the end marker ignored')
    return remarks
