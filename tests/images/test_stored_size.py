"""The size that an image file claims to have."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from dugi_mae.errors import DuGIError
from dugi_mae.images.reading import decode, image_size


@pytest.mark.parametrize(
    ('dtype', 'shape'),
    [
        ('float64', (48, 64)),
        ('float16', (48, 64)),
        ('float32', (48, 64, 3)),
        ('uint16', (48, 64, 2)),
        ('uint8', (48, 64, 5)),
    ],
)
def test_scientific_tiffs(tmp_path, dtype, shape):
    """What can be decoded is not damaged."""
    path = tmp_path / 'a.tif'
    layout = dict(planarconfig='contig', photometric='minisblack')
    tifffile.imwrite(path, np.zeros(shape, dtype), **layout)
    assert image_size(path) == (64, 48)
    assert decode(path.read_bytes()).shape[:2] == (48, 64)


def test_no_orientation(tmp_path):
    """The size is the loader's: that of the stored pixels."""
    path, exif = tmp_path / 'a.jpg', Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path, exif=exif)
    assert image_size(path) == (64, 48)
    assert decode(path.read_bytes()).shape[:2] == (48, 64)


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'tif', 'tiff', 'webp'])
def test_every_kind(tmp_path, suffix):
    """All extensions that count as images, and their damage."""
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path)
    assert image_size(path) == (64, 48)
    for content in (b'II*\0', b'no image'):
        path.write_bytes(content)
        with pytest.raises(DuGIError, match=f'^image {path} is damaged'):
            image_size(path)
