"""Image files that one program reads so and another otherwise, written by hand."""

from __future__ import annotations

import io

import numpy as np
import tifffile
from PIL import Image

#: What `verify.py` says of each kind; those that are refused begin with '!'.
ALPHA, BANDS = 'alpha or extra bands dropped', '!channels'
INVERTED, TURNED = 'white is zero: inverted', 'orientation tag ignored'
PLANES, THUMBNAIL = 'planes put together', 'thumbnail or mask page ignored'
BEHIND = 'data behind the end marker ignored'


def tiff(pixels: np.ndarray, *tags: tuple, **layout) -> bytes:
    """A TIFF file of any layout, with further tags."""
    file = io.BytesIO()
    layout.setdefault('photometric', 'minisblack')
    tifffile.imwrite(file, pixels, extratags=tags, **layout)
    return file.getvalue()


def pages(*images: tuple[np.ndarray, int]) -> bytes:
    """A TIFF file of several pages, each with its kind."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for pixels, kind in images:
            writer.write(pixels, subfiletype=kind, photometric='minisblack')
    return file.getvalue()


def jpeg(pixels: np.ndarray, **options) -> bytes:
    """A JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'JPEG', **options)
    return file.getvalue()


def odd_images() -> dict[str, tuple[bytes, str]]:
    """Forty files: name -> content, and what `verify.py` says of it."""
    rows, columns = np.mgrid[:48, :64]
    count = 7000 + 3 * (2 * columns + rows)
    odd: dict[str, tuple[bytes, str]] = {}
    for dtype in ('u1', 'u2', 'f4'):
        grey = (count % 251).astype(dtype)
        stack = np.stack([grey, grey + 1, grey + 2, grey + 3])
        last = stack.transpose(1, 2, 0)
        empty = grey.copy()
        empty[:5] = 7
        separate = dict(planarconfig='separate')
        rgb = dict(photometric='rgb')
        odd |= {
            f'alpha_{dtype}.tif': (tiff(last[..., :2], extrasamples=[2]), ALPHA),
            f'rgba_{dtype}.tif': (tiff(last, extrasamples=[2], **rgb), ALPHA),
            f'planes_{dtype}.tif': (tiff(stack[:3], **separate, **rgb), PLANES),
            f'bands_{dtype}.tif': (tiff(last, planarconfig='contig'), BANDS),
            f'band_planes_{dtype}.tif': (tiff(stack, **separate), BANDS),
            f'white_{dtype}.tif': (tiff(grey, photometric='miniswhite'), INVERTED),
            f'turned_{dtype}.tif': (tiff(grey, (274, 3, 1, 6, True)), TURNED),
            f'empty_{dtype}.tif': (
                tiff(empty, (42113, 2, 2, '7', True)),
                'no data value 7 left out',
            ),
            f'pages_{dtype}.tif': (tiff(stack), '!several pages'),
            f'thumbnail_{dtype}.tif': (
                pages((grey, 0), (grey[::4, ::4], 1)),
                THUMBNAIL,
            ),
        }
    volume = dict(volumetric=True, tile=(2, 16, 16))
    picture = jpeg(np.dstack([grey.astype(np.uint8)] * 3))
    counts, floats = (count.astype(dtype).tobytes() for dtype in ('u2', 'f4'))
    damaged = picture[:2] + b'\xff\xe1\0\x10FLIR\0\1\0\0' + bytes(6) + picture[2:]
    odd |= {
        'slices.tif': (tiff(stack.astype('u2'), **volume), '!several slices'),
        'white_bit.tif': (tiff(grey > 90, photometric='miniswhite'), INVERTED),
        'counts_behind.jpg': (picture + counts, BEHIND),
        'floats_behind.jpg': (picture + floats, BEHIND),
        'image_behind.jpg': (picture + picture, BEHIND),
        'scan_behind.jpg': (picture + b'\xff\xda\0\x08', BEHIND),
        'progressive.jpg': (
            jpeg(grey.astype(np.uint8), progressive=True) + counts,
            BEHIND,
        ),
        'cut.jpg': (picture[:-2], '!cut short'),
        'cut_thumbnail.jpg': (
            picture[:2] + b'\xff\xe5\0\x08\xff\xda\xff\xd9\0\0' + picture[2:-9],
            '!cut short',
        ),
        'radiometric.jpg': (damaged, 'radiometric'),
    }
    return odd
