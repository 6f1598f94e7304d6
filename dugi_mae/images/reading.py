"""From an image file to the pixels that it stores, with care for bad files."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.errors import BadImageError
from dugi_mae.images.jpeg import (
    JPEG_START,
    flir_segment,
    jpeg_end,
    jpeg_remarks,
    read_temperatures,
)
from dugi_mae.images.stored_size import stored_size
from dugi_mae.images.tiff import TIFF_STARTS, read_tiff, tiff_remarks

_PNG = b'\x89PNG'
#: Largest image that is decoded: the area of 8192x8192 pixels. At 16 bits its
#: normalisation takes about 1.5 GB of memory.
MAX_PIXELS = 2**26
#: Largest file that is read, 1 GiB.
MAX_BYTES = 2**30


def read_local(path: str) -> bytes:
    """Content of a local file."""
    with open(path, 'rb') as file:
        return file.read()


def read_bytes(path: str | Path, read: Callable[[str], bytes] = read_local) -> bytes:
    """Read a file, with care for missing, unreadable and huge ones.

    Args:
        path: Local path, or what else ``read`` knows.
        read: Takes the path and returns the content; raises :class:`OSError`.

    Raises:
        BadImageError: If the file is missing, cannot be read, is empty or larger than
            :data:`MAX_BYTES`.
    """
    path = str(path)
    try:
        if os.path.exists(path):
            if not os.path.isfile(path):  # a pipe would be waited for for ever
                raise OSError('not a regular file')
            if os.path.getsize(path) > MAX_BYTES:
                raise BadImageError(
                    f'{path} is larger than {MAX_BYTES} bytes: cut it into tiles or '
                    'remove it',
                    'too large',
                )
        content = read(path)
    except FileNotFoundError:
        raise BadImageError(
            f'{path} does not exist: check data_root and the list it came from',
            'missing',
        ) from None
    except OSError as error:
        raise BadImageError(
            f'{path} cannot be read ({error.strerror or error}): check that it is a '
            'file and that you may read it',
            'unreadable',
        ) from None
    if not content:
        raise BadImageError(
            f'{path} is empty (0 bytes): copy it again or remove it', 'empty'
        )
    return bytes(content)


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height as a file's header states them.

    Raises:
        BadImageError: If the file cannot be read or is not an image.
    """
    size = None
    with contextlib.suppress(OSError):
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                size = stored_size(file, str(path))
    if size is None:
        read_bytes(path)  # it may know better what is wrong
        raise BadImageError(f'image {path} is damaged: copy it again')
    return size[:2]


def _is_truncated(content: bytes) -> bool:
    """Whether the end is missing; decoders invent the pixels instead of failing."""
    if content.startswith(JPEG_START):
        return jpeg_end(content) is None
    return content.startswith(_PNG) and content.rfind(b'IEND') < 0


def remarks(content: bytes) -> list[str]:
    """What is done with a good file that not every reader would do alike, in words."""
    if content.startswith(JPEG_START):
        return jpeg_remarks(content)
    return tiff_remarks(content) if content.startswith(TIFF_STARTS) else []


def decode(
    content: bytes,
    path: str = 'image',
    grey_only: bool = False,
    max_pixels: int = MAX_PIXELS,
    reduce_to: int | None = None,
) -> ndarray:
    """Decode a file to the pixels it stores: no change of depth, nor of size.

    TIFFs are brought into one form by :func:`dugi_mae.images.tiff.read_tiff`, and of
    radiometric JPEGs come temperatures, see :func:`dugi_mae.images.jpeg.\
read_temperatures`.

    The size that the header claims is checked first.

    Args:
        content: The encoded file.
        path: Its name, for messages.
        grey_only: Whether the image is to become grey. JPEGs are decoded to their luma
            plane alone then: exact for grey ones, and several times faster for three
            equal channels. Bands that are no colours are refused.
        max_pixels: Most pixels that are decoded. More than four channels count as
            more pixels.
        reduce_to: Decode a JPEG of which ``grey_only`` is wanted at a half, a quarter
            or an eighth of its size, if its shorter side keeps so many pixels. Cheaper
            than to decode all of them, and smoother than to resize afterwards.

    Returns:
        ``(H, W)`` or ``(H, W, C)`` in BGR(A) order. Orientation is ignored, as
        labels refer to the stored pixels.

    Raises:
        BadImageError: If the file is too large, damaged, cut short, not one image or
            needs a package that is not installed.
    """
    size = stored_size(io.BytesIO(content), path)
    if size is not None:
        width, height, channels = size
        if width * height * max(channels / 4, 1) > max_pixels:
            raise BadImageError(
                f'{path} claims to be {width}x{height} pixels with {channels} '
                f'channel(s), more than max_pixels={max_pixels}: cut it into tiles, '
                'remove it, or raise max_pixels',
                'too large',
            )
    flag = cv2.IMREAD_UNCHANGED
    if grey_only and content.startswith(JPEG_START):
        flag = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
        if reduce_to and size is not None:
            fitting = [n for n in (2, 4, 8) if min(size[:2]) // n >= reduce_to]
            if fitting:
                flag |= getattr(cv2, f'IMREAD_REDUCED_GRAYSCALE_{fitting[-1]}')
    image, cut = None, _is_truncated(content)
    if size is not None and not cut:
        try:
            if content.startswith(TIFF_STARTS):
                image = read_tiff(content, path, grey_only)
            elif content.startswith(JPEG_START) and flir_segment(content):
                image = read_temperatures(content, size[:2], path)
            if image is None:
                image = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
        except BadImageError:
            raise
        except Exception:  # cv2 and tifffile raise many kinds on damaged files
            image = None
    if image is None or not image.size:
        known = content.startswith((JPEG_START, _PNG, *TIFF_STARTS)) or size is not None
        raise BadImageError(
            f'{path} is damaged, cut short or not an image: copy it again, convert it '
            'to PNG, JPEG or TIFF, or remove it',
            'cut short' if cut else 'damaged' if known else 'not an image',
        )
    return image
