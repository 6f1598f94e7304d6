"""TIFF: from what the tags say to pixels in the one form that the reader knows.

Axes, planes, photometric sense, orientation and "no data" are brought into that form
here and nowhere else.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.errors import BadImageError

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

TIFF_STARTS = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
#: Values of tags.
_WHITE_IS_ZERO, _RGB, _PALETTE = 0, 2, 3
#: Photometric interpretations that are not counts: libtiff turns them into RGB.
_COLOUR_SPACES = (5, 6, 8, 9, 10)  # CMYK, YCbCr, three kinds of L*a*b*
_REDUCED_OR_MASK = 0b101
#: Compressions that tifffile knows by itself: none, Deflate (two), PackBits, LZMA.
_BUILT_IN = (1, 8, 32946, 32773, 34925)
#: Those that OpenCV adds: three kinds of CCITT, LZW, JPEG.
_OPENCV = (2, 3, 4, 5, 7)


@contextmanager
def _opened(content: bytes | BinaryIO, mode: str = 'r') -> Iterator[TiffFile]:
    """A TIFF, without what tifffile logs about tags that we read ourselves."""
    import tifffile

    def nothing(record: logging.LogRecord) -> bool:
        return False

    log = logging.getLogger('tifffile')
    log.addFilter(nothing)
    try:
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        with tifffile.TiffFile(file, mode=mode) as tiff:
            yield tiff
    finally:
        log.removeFilter(nothing)


def _image_page(tiff: TiffFile, path: str) -> TiffPage:
    """The one page that is an image; thumbnails and masks beside it are none."""
    images = (page for page in tiff.pages if not page.subfiletype & _REDUCED_OR_MASK)
    page, *more = [*islice(images, 2)] or [tiff.pages[0]]
    several = 'pages' if more else 'slices' if page.imagedepth > 1 else None
    if several:
        raise BadImageError(
            f'{path} holds several {several}, of which labels can mean but one: write '
            'each as a file of its own',
            f'several {several}',
        )
    return page


def tiff_size(file: BinaryIO, path: str = 'image') -> tuple[int, int, int]:
    """Width, height and number of channels as the tags state them.

    Raises:
        BadImageError: If there are several images. Damage raises many kinds.
    """
    with _opened(file) as tiff:
        page = _image_page(tiff, path)
        # A damaged tag gives several numbers where one is meant.
        size = page.imagewidth, page.imagelength, page.samplesperpixel
        return tuple(map(int, size))


def _tag(page: TiffPage, name: str, default: int) -> int:
    """A tag's value; tifffile's attributes take 0 for a tag that is missing."""
    tag = page.tags.get(name)
    return default if tag is None else int(tag.value)


def _no_data(page: TiffPage) -> float | None:
    """The value that GDAL's tag declares to be none."""
    tag = page.tags.get('GDAL_NODATA')
    try:
        return None if tag is None else float(str(tag.value).strip('\0 '))
    except ValueError:
        return None


def _decoded(page: TiffPage, content: bytes, path: str) -> ndarray:
    """What is stored, ``(H, W, C)``: counts, or RGB; less than 8 bits become 8.

    tifffile reads every layout and sample format. It is OpenCV's turn in the colour
    spaces of photographs, and in compressions for which tifffile needs imagecodecs,
    there in those layouts alone that OpenCV gets right.
    """
    photometric = _tag(page, 'PhotometricInterpretation', 1)
    bits, samples = page.bitspersample, page.samplesperpixel
    if page.compression != 1:  # decoders may fill up what is missing
        segments = zip(page.dataoffsets, page.databytecounts, strict=True)
        if any(start + count > len(content) for start, count in segments):
            raise ValueError('cut short')
    if photometric not in _COLOUR_SPACES:
        built_in = (
            page.compression in _BUILT_IN
            and page.predictor in (1, 2)
            and bits in (1, 8, 16, 32, 64)
        )
        if built_in or find_spec('imagecodecs'):
            planes = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (S, H, W, C)
            image = np.moveaxis(planes, 0, -1).reshape(*planes.shape[1:3], -1)
            if photometric == _PALETTE:
                colours = page.colormap
                shift = 8 if colours.max() > 255 else 0  # some writers use 8 of 16 bits
                return (colours >> shift).astype(np.uint8).T[image[..., 0]]
            if bits < 8:
                return image.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
            return image
        counts = page.sampleformat == 1 and bits in (1, 4, 8, 16)
        floats = page.sampleformat == 3 and bits in (32, 64)
        plain = samples == 1 or (photometric == _RGB and samples == 3 and counts)
        plain = plain and (counts or floats) and page.planarconfig == 1
        if not plain or page.compression not in _OPENCV:
            raise BadImageError(
                f'{path} is a TIFF of a layout that needs the package imagecodecs: pip '
                "install 'dugi-mae[images]', or save the image without compression",
                'needs imagecodecs',
            )
    # OpenCV heeds these at some depths and not at others.
    file = io.BytesIO(content)
    with _opened(file, 'r+') as tiff:
        tags = _image_page(tiff, path).tags
        if 'Orientation' in tags:
            tags['Orientation'].overwrite(1)
        if photometric == _WHITE_IS_ZERO:
            tags['PhotometricInterpretation'].overwrite(1)
        encoded = np.frombuffer(file.getvalue(), np.uint8)
    flag = cv2.IMREAD_COLOR if photometric in _COLOUR_SPACES else cv2.IMREAD_UNCHANGED
    image = np.atleast_3d(cv2.imdecode(encoded, flag))
    return image[..., ::-1]  # RGB


def read_tiff(content: bytes, path: str = 'image', grey_only: bool = False) -> ndarray:
    """Decode the image of a TIFF.

    Planes become channels. Orientation is ignored, as labels refer to the stored
    pixels. WhiteIsZero is inverted (floats change their sign). Pixels of GDAL's
    "no data" value become NaN, at 8 bits black.

    Args:
        content: The encoded file.
        path: Its name, for messages.
        grey_only: Whether the image is to become grey: bands that are no colours are
            refused then.

    Returns:
        ``(H, W)`` or ``(H, W, C)``, colours in BGR(A) order.

    Raises:
        BadImageError: If it holds several images or bands, or needs a package that is
            not installed. Damage raises many kinds.
    """
    with _opened(content) as tiff:
        page = _image_page(tiff, path)
        photometric = _tag(page, 'PhotometricInterpretation', 1)
        image = _decoded(page, content, path)
        no_data = None if photometric == _PALETTE else _no_data(page)
        bits = page.bitspersample
    channels = image.shape[2]
    coloured = photometric in (_RGB, _PALETTE, *_COLOUR_SPACES)
    if grey_only and not coloured and channels > 2:
        raise BadImageError(
            f'{path} has {channels} bands that are no colours: say which is infrared '
            'with channel=...',
            'channels',
        )
    missing = None
    if no_data is not None:
        same_type = image.dtype.type if image.dtype.kind == 'f' else np.float64
        with np.errstate(over='ignore'):
            missing = image == same_type(no_data)
    if photometric == _WHITE_IS_ZERO:
        if image.dtype.kind == 'f':
            image = -image
        else:
            image = image ^ np.array(2 ** max(bits, 8) - 1).astype(image.dtype)
    if missing is not None and missing.any():
        if image.dtype == np.uint8:
            image = np.where(missing, np.uint8(0), image)
        else:
            exact = np.result_type(image.dtype, np.float32)
            image = np.where(missing, np.nan, image.astype(exact))
    if coloured and channels > 2:
        image = np.concatenate([image[..., 2::-1], image[..., 3:]], axis=-1)
    return image[..., 0] if channels == 1 else image


def tiff_remarks(content: bytes) -> list[str]:
    """What is done with a TIFF that not every reader does alike; nothing is decoded."""
    with _opened(content) as tiff:
        page = _image_page(tiff, '')
        photometric = _tag(page, 'PhotometricInterpretation', 1)
        no_data = _no_data(page)
        remarks = {
            'white is zero: inverted': photometric == _WHITE_IS_ZERO,
            'orientation tag ignored': _tag(page, 'Orientation', 1) != 1,
            'planes put together': page.planarconfig == 2 and page.samplesperpixel > 1,
            f'no data value {no_data:g} left out' if no_data is not None else '': (
                no_data is not None
            ),
            'alpha or extra bands dropped': bool(page.extrasamples),
            'thumbnail or mask page ignored': len(tiff.pages) > 1,
        }
    return [remark for remark, applies in remarks.items() if applies]
