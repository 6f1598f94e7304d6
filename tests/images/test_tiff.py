"""TIFF layouts: what tags say is what is read, and nothing depends on the decoder."""

from __future__ import annotations

import io
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
from PIL import Image

from dugi_mae.errors import BadImageError
from dugi_mae.images import InfraredReader, load_infrared
from dugi_mae.images.reading import decode, image_size

ROWS, COLUMNS = np.mgrid[:48, :64]
#: 174 counts without symmetry.
COUNTS = 7000 + 3 * (2 * COLUMNS + ROWS)


def tiff(pixels: np.ndarray, **layout) -> bytes:
    """A TIFF file."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **layout)
    return file.getvalue()


def no_data(value: str) -> list[tuple]:
    """GDAL's tag."""
    return [(42113, 2, len(value) + 1, value, True)]


def orientation(value: int) -> list[tuple]:
    """The tag that says how to turn an image."""
    return [(274, 3, 1, value, True)]


def planes(number: int) -> np.ndarray:
    """``(number, 48, 64)`` uint16, unequal."""
    return np.stack([COUNTS + 1000 * i for i in range(number)]).astype(np.uint16)


def test_grey_with_alpha_keeps_its_counts():
    """16-bit grey with an opaque alpha sample has all of its 174 levels."""
    counts = COUNTS.astype(np.uint16)
    pixels = np.stack([counts, np.full_like(counts, 65535)], -1)
    content = tiff(pixels, photometric='minisblack', extrasamples=[2])
    np.testing.assert_array_equal(decode(content), pixels)
    assert len(np.unique(InfraredReader(channels=1).decode(content))) == 174


@pytest.mark.parametrize('compression', [None, 'zlib'])
@pytest.mark.parametrize('tile', [None, (16, 16)])
@pytest.mark.parametrize('dtype', ['u1', 'u2', 'f2', 'f4'])
@pytest.mark.parametrize('samples', [3, 4])
@pytest.mark.parametrize('planar', ['contig', 'separate'])
def test_colour_in_every_layout(planar, samples, dtype, tile, compression):
    """RGB(A) becomes BGR(A), however it is stored, the same twice."""
    stored = (planes(samples) % 251).astype(dtype)
    layout = dict(planarconfig=planar, photometric='rgb', tile=tile)
    layout |= dict(extrasamples=[2]) if samples == 4 else {}
    expected = stored[[2, 1, 0, 3][:samples]].transpose(1, 2, 0)
    pixels = stored if planar == 'separate' else stored.transpose(1, 2, 0)
    content = tiff(pixels, compression=compression, **layout)
    for _ in range(2):
        np.testing.assert_array_equal(decode(content), expected)


@pytest.mark.parametrize('number', [3, 4, 6])
@pytest.mark.parametrize('planar', ['contig', 'separate'])
def test_bands_that_are_no_colours(tmp_path, planar, number):
    """They are channels in the order of the file, of which one must be chosen."""
    bands = planes(number)
    pixels = bands if planar == 'separate' else bands.transpose(1, 2, 0)
    path = tmp_path / 'bands.tif'
    layout = dict(planarconfig=planar, photometric='minisblack')
    path.write_bytes(tiff(pixels, **layout))
    np.testing.assert_array_equal(decode(path.read_bytes()), np.moveaxis(bands, 0, -1))
    assert image_size(path) == (64, 48)
    with pytest.raises(
        BadImageError, match=rf'bands\.tif has {number} .*channel='
    ) as e:
        load_infrared(path)
    assert e.value.reason == 'channels'
    assert len(np.unique(load_infrared(path, channel=2))) == 174


@pytest.mark.parametrize('dtype', ['u1', 'u2', 'u4', 'i2', 'f4'])
@pytest.mark.parametrize('compression', [None, 'zlib'])
def test_white_is_zero_at_every_depth(dtype, compression):
    """What is stored as the least is the brightest, for 8 bits and for more."""
    stored = (COUNTS % 251).astype(dtype)
    layout = dict(photometric='miniswhite', compression=compression)
    pixels = decode(tiff(stored, **layout)).astype(float)
    ends = dict(u1=255, u2=65535, u4=2**32 - 1, i2=-1, f4=0)
    np.testing.assert_array_equal(pixels, ends[dtype] - stored.astype(float))
    grey = InfraredReader(channels=1).decode(tiff(stored, **layout))[..., 0]
    assert grey[stored == stored.min()].min() > grey[stored == stored.max()].max()


@pytest.mark.parametrize('bits', [1, 8, 16])
@pytest.mark.parametrize('turn', [2, 3, 6, 8])
def test_orientation_turns_neither_pixels_nor_size(tmp_path, bits, turn):
    """Labels refer to the stored pixels, at every depth."""
    stored = (COUNTS % 251).astype(np.uint8 if bits < 16 else np.uint16)
    stored = stored > 100 if bits == 1 else stored
    path = tmp_path / 'turned.tif'
    layout = dict(photometric='minisblack', extratags=orientation(turn))
    path.write_bytes(tiff(stored, **layout))
    assert image_size(path) == (64, 48)
    expected = stored * 255 if bits == 1 else stored
    np.testing.assert_array_equal(decode(path.read_bytes()), expected)


@pytest.mark.parametrize('photometric', ['minisblack', 'miniswhite'])
@pytest.mark.parametrize(
    ('dtype', 'value', 'text'),
    [
        ('i2', -10000, '-10000'),
        ('i4', -10000, '-10000 '),
        ('u2', 0, '0'),
        ('u2', 65535, '65535.0'),
        ('f4', -9999.1, '-9999.1'),
        ('f4', np.finfo(np.float32).min, '-3.4028234663852886e+38'),
        ('f8', np.nan, 'nan'),
    ],
)
def test_no_data_keeps_the_scene(dtype, value, text, photometric):
    """Pixels of GDAL's value are black, the others as if there were none."""
    stored = COUNTS.astype(dtype)
    stored[:5] = np.array(value).astype(dtype)
    content = tiff(stored, photometric=photometric, extratags=no_data(text))
    pixels = decode(content)
    assert np.isnan(pixels[:5]).all() and np.isfinite(pixels[5:]).all()
    sign = 1 if photometric == 'minisblack' else -1
    steps = sign * (pixels[5:].astype(float) - pixels[5, 0])
    np.testing.assert_array_equal(steps, COUNTS[5:] - COUNTS[5, 0])
    grey = InfraredReader(channels=1, normalizer='minmax').decode(content)[..., 0]
    assert not grey[:5].any()
    assert len(np.unique(grey[5:])) == len(np.unique(COUNTS[5:]))


@pytest.mark.parametrize('text', ['-10000', 'none', ''])
def test_no_data_that_no_pixel_has(caplog, text):
    """Counts and their type stay, and nothing is logged for each image."""
    stored = COUNTS.astype(np.uint16)
    pixels = decode(tiff(stored, extratags=no_data(text)))
    assert pixels.dtype == np.uint16 and not caplog.records
    np.testing.assert_array_equal(pixels, stored)


def test_no_data_of_8_bits_is_black():
    """8-bit pixels stay 8-bit."""
    stored = (COUNTS % 251).astype(np.uint8)
    stored[:5] = 255
    expected = stored.copy()
    expected[:5] = 0
    np.testing.assert_array_equal(
        decode(tiff(stored, extratags=no_data('255'))), expected
    )


@pytest.mark.parametrize(
    ('layout', 'reason'),
    [
        (dict(), 'several pages'),
        (dict(imagej=True), 'several pages'),
        (dict(volumetric=True, tile=(2, 16, 16)), 'several slices'),
    ],
)
def test_several_images_are_refused(tmp_path, layout, reason):
    """Neither the first page alone nor slices as further rows, without a word."""
    path = tmp_path / 'stack.tif'
    path.write_bytes(tiff(planes(6), photometric='minisblack', **layout))
    for read in (load_infrared, image_size):
        with pytest.raises(BadImageError, match=r'stack\.tif holds several') as caught:
            read(path)
        assert caught.value.reason == reason


@pytest.mark.parametrize('kind', [1, 4])
@pytest.mark.parametrize('first', [True, False])
def test_a_thumbnail_or_mask_is_no_second_image(tmp_path, kind, first):
    """The page that is neither is read, wherever it stands."""
    path = tmp_path / 'a.tif'
    pages = [(COUNTS.astype(np.uint16), 0), (np.zeros((12, 16), np.uint8), kind)]
    with tifffile.TiffWriter(path) as file:
        for pixels, subfile in pages[:: -1 if first else 1]:
            photometric = 'mask' if subfile == 4 else 'minisblack'
            pixels = pixels > 0 if subfile == 4 else pixels
            file.write(pixels, subfiletype=subfile, photometric=photometric)
    assert image_size(path) == (64, 48)
    np.testing.assert_array_equal(decode(path.read_bytes()), COUNTS)


@pytest.mark.parametrize('compression', ['raw', 'tiff_lzw', 'tiff_deflate', 'packbits'])
@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'RGB', 'I;16', 'CMYK'])
def test_what_pillow_writes(mode, compression):
    """Modes of Pillow, with and without imagecodecs, are Pillow's pixels."""
    grey = (COUNTS % 251).astype(np.uint8)
    image = Image.fromarray(grey)
    if mode == 'I;16':
        image = Image.fromarray(COUNTS.astype(np.uint16))
    elif mode == 'RGB':
        image = Image.fromarray(np.dstack([grey, grey[::-1], grey[:, ::-1]]))
    else:
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, 'TIFF', compression=compression)
    if mode in ('1', 'I;16', 'L'):
        expected = np.asarray(image) * (255 if mode == '1' else 1)
    else:
        expected = np.asarray(image.convert('RGB'))[..., ::-1]
    np.testing.assert_array_equal(decode(file.getvalue()), expected)


@pytest.mark.skipif(
    find_spec('imagecodecs') is not None, reason='imagecodecs is installed'
)
def test_without_imagecodecs_the_extra_is_named():
    """OpenCV is asked only for what it reads right; 8-bit RGBA it would darken."""
    rgba = np.dstack([(COUNTS % 251).astype(np.uint8)] * 4)
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, 'TIFF', compression='tiff_lzw')
    with pytest.raises(BadImageError, match=r"^a\.tif .*pip install 'dugi-mae\[images"):
        decode(file.getvalue(), 'a.tif')


@pytest.mark.parametrize('compression', ['lzw', 'zstd', 'packints'])
@pytest.mark.parametrize('planar', ['contig', 'separate'])
def test_compressions_of_imagecodecs(compression, planar):
    """Separate planes in every compression, and 12-bit samples."""
    pytest.importorskip('imagecodecs', reason="the extra 'images' is not installed")
    stored = planes(4) % 4096
    packed = compression == 'packints'
    layout = dict(bitspersample=12) if packed else dict(compression=compression)
    pixels = stored if planar == 'separate' else stored.transpose(1, 2, 0)
    layout |= dict(photometric='rgb', planarconfig=planar, extrasamples=[2])
    expected = stored[[2, 1, 0, 3]].transpose(1, 2, 0)
    np.testing.assert_array_equal(decode(tiff(pixels, **layout)), expected)


@pytest.mark.parametrize(
    'compression', ['tiff_lzw', 'tiff_deflate', 'jpeg', 'packbits']
)
@pytest.mark.parametrize('part', [0.3, 0.8])
def test_compressed_and_cut_short(compression, part):
    """No decoder fills up what is missing; tags come first in what is written here."""
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(file, 'TIFF', compression=compression)
    whole = tifffile.TiffFile(io.BytesIO(file.getvalue())).pages[0].dataoffsets[0]
    content = file.getvalue()
    cut = content[: whole + int(part * (len(content) - whole))]
    with pytest.raises(BadImageError, match='^a is damaged, cut short'):
        decode(cut, 'a')
