"""From a file to the pixels that it stores: every format, damage, and huge claims."""

from __future__ import annotations

import io
import os
import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from toys import noise

from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.images import InfraredReader, load_infrared, stored_size
from dugi_mae.images.reading import decode, read_bytes


def encoded(image: np.ndarray, fmt: str) -> bytes:
    """An image file of a format."""
    buffer = io.BytesIO()
    if fmt == 'TIFF':
        tifffile.imwrite(buffer, image)
    else:
        Image.fromarray(image).save(buffer, fmt)
    return buffer.getvalue()


@pytest.mark.parametrize('fmt', ['JPEG', 'PNG', 'TIFF', 'BMP'])
@pytest.mark.parametrize('part', [0.02, 0.5, 0.95])
def test_truncated_file_is_refused(tmp_path, fmt, part):
    """A file cut short is an error, also where decoders would invent the rest."""
    content = encoded(noise(192, 256), fmt)
    path = tmp_path / 'cut.img'
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DuGIError, match=r'cut\.img is damaged, cut short'):
        load_infrared(path)


def test_missing_file_is_named(tmp_path):
    """Other kinds of bad files: ``test_every_kind_has_its_reason`` of the loader."""
    with pytest.raises(DuGIError, match=r'gone\.png does not exist: check data_root'):
        load_infrared(tmp_path / 'gone.png')


@pytest.mark.parametrize('fmt', ['JPEG', 'PNG', 'BMP', 'WEBP', 'PPM', 'TIFF'])
@pytest.mark.parametrize('channels', [1, 3])
def test_the_size_is_known_before_decoding(monkeypatch, fmt, channels):
    """No decoder is asked for an image above the limit; one at the limit is read."""
    shape = (30, 50) if channels == 1 else (30, 50, 3)
    content = encoded(np.zeros(shape, np.uint8), fmt)
    assert stored_size(io.BytesIO(content))[:2] == (50, 30)
    assert decode(content, max_pixels=1500).shape[:2] == (30, 50)

    def never(*args, **kwargs):
        raise AssertionError('it was decoded')

    monkeypatch.setattr(cv2, 'imdecode', never)
    monkeypatch.setattr(tifffile.TiffPage, 'asarray', never)
    with pytest.raises(BadImageError, match='a claims to be 50x30 .*max_pixels=1499'):
        InfraredReader(max_pixels=1499).decode(content, 'a')


def test_a_tiff_of_two_widths_has_none():
    """A tag that claims more numbers than one is damage, not a size."""
    content = encoded(np.zeros((30, 50), np.uint8), 'TIFF')
    width = [struct.pack('<HHI', 256, kind, 1) for kind in (3, 4)]
    (found,) = [tag for tag in width if tag in content]
    damaged = content.replace(found, struct.pack('<HHI', 256, 3, 2))
    assert stored_size(io.BytesIO(damaged)) is None
    with pytest.raises(BadImageError, match='^a is damaged'):
        decode(damaged, 'a')


def test_many_channels_count_as_pixels():
    """A TIFF may claim any number of channels; they need memory as pixels do."""
    cube = np.zeros((20, 20, 40), np.uint8)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, cube, photometric='minisblack', planarconfig='contig')
    content = buffer.getvalue()
    assert decode(content, max_pixels=4000).size == cube.size
    with pytest.raises(BadImageError, match='20x20 pixels with 40 channel'):
        decode(content, max_pixels=3999)


def test_what_is_not_read_at_all(tmp_path):
    """Folders are refused, pipes not waited for, files of gigabytes not read."""
    os.mkfifo(tmp_path / 'pipe.png')
    for path in (tmp_path, tmp_path / 'pipe.png'):
        with pytest.raises(BadImageError, match='cannot be read .not a regular file'):
            read_bytes(path)
    with (tmp_path / 'sparse.png').open('wb') as file:
        file.truncate(2**40)
    with pytest.raises(BadImageError, match='is larger than 1073741824 bytes'):
        read_bytes(str(tmp_path / 'sparse.png'))
