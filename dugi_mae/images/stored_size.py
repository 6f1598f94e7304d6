"""The size that an image file claims to have, read before anything is decoded."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import BinaryIO

from dugi_mae.errors import DuGIError

TIFF_STARTS = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
#: Pillow's names of what OpenCV decodes. Pillow's own TIFF reader knows fewer sample
#: formats than tifffile.
_FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'JPEG2000', 'PPM', 'GIF')


@functools.cache
def _openers() -> list[tuple]:
    """Pillow's readers; importing a plugin makes its format known."""
    from PIL import (  # noqa: F401
        BmpImagePlugin,
        GifImagePlugin,
        Image,
        Jpeg2KImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        PpmImagePlugin,
        WebPImagePlugin,
    )

    return [Image.OPEN[name] for name in _FORMATS]


def _tiff_size(file: BinaryIO) -> tuple[int, int, int]:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        # A damaged tag gives several numbers where one is meant.
        height, depth = int(page.imagelength), int(page.imagedepth)
        return int(page.imagewidth), height * depth, int(page.samplesperpixel)


def stored_size(file: BinaryIO) -> tuple[int, int, int] | None:
    """Read width, height and number of channels from a file's header.

    No pixel is decoded: a file of a few bytes that claims to hold gigabytes costs
    nothing.

    Args:
        file: The encoded file, of which the beginning does in most formats.

    Returns:
        ``(width, height, channels)``, or ``None`` if no known header can be read. EXIF
        rotation is ignored, as it is where the pixels are decoded.
    """
    try:
        start = file.read(16)
        file.seek(0)
        if start.startswith(TIFF_STARTS):
            return _tiff_size(file)
        # `Image.open` would refuse large images by a limit of its own, and hide their
        # size.
        opener = next((o for o, accepts in _openers() if accepts(start) is True), None)
        image = opener(file, '')
        return *image.size, len(image.getbands())
    except Exception:  # damaged headers raise many kinds
        return None


def image_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header states them.

    Raises:
        DuGIError: If the file is missing, cannot be read or is not an image.
    """
    try:
        with path.open('rb') as file:
            size = stored_size(file)
    except FileNotFoundError:
        raise DuGIError(f'image {path} does not exist: copy the complete set') from None
    except OSError as error:
        raise DuGIError(
            f'image {path} cannot be read ({error.strerror}): check that it is a file '
            'and that you may read it'
        ) from None
    if size is None:
        raise DuGIError(f'image {path} is damaged: copy it again')
    return size[:2]
