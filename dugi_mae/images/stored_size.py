"""The size that an image file claims to have, read before anything is decoded."""

from __future__ import annotations

import functools
from typing import BinaryIO

from dugi_mae.errors import BadImageError
from dugi_mae.images.tiff import TIFF_STARTS, tiff_size

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


def stored_size(file: BinaryIO, path: str = 'image') -> tuple[int, int, int] | None:
    """Read width, height and number of channels from a file's header.

    No pixel is decoded: a file of a few bytes that claims to hold gigabytes costs
    nothing.

    Args:
        file: The encoded file, of which the beginning does in most formats.
        path: Its name, for messages.

    Returns:
        ``(width, height, channels)``, or ``None`` if no known header can be read.
        Orientation is ignored, as it is where the pixels are decoded.

    Raises:
        BadImageError: If a TIFF holds several images.
    """
    try:
        start = file.read(16)
        file.seek(0)
        if start.startswith(TIFF_STARTS):
            return tiff_size(file, path)
        # `Image.open` would refuse large images by a limit of its own, and hide their
        # size.
        opener = next((o for o, accepts in _openers() if accepts(start) is True), None)
        image = opener(file, '')
        return *image.size, len(image.getbands())
    except BadImageError:
        raise
    except Exception:  # damaged headers raise many kinds
        return None
