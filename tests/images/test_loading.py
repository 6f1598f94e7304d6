"""InfraredReader reads what infrared cameras and data sets store."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.images import InfraredReader, load_infrared
from dugi_mae.images.loading import to_grey


@pytest.fixture
def grey() -> np.ndarray:
    """``(48, 64)`` uint8 with every grey value and no symmetry."""
    return (np.arange(48 * 64) * 7 % 256).astype(np.uint8).reshape(48, 64)


load = load_infrared


@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'LA', 'P'])
@pytest.mark.parametrize('suffix', ['png', 'tiff'])
def test_8bit_grey_is_exact_in_every_mode(tmp_path, grey, mode, suffix):
    """Grey pixels come back as they are, however they are stored."""
    path = tmp_path / f'image.{suffix}'
    Image.fromarray(grey).convert(mode).save(path)
    image = load(path)
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], grey)


@pytest.mark.parametrize('mode', ['L', 'RGB'])
@pytest.mark.parametrize('suffix', ['jpg', 'bmp'])
def test_other_formats_match_the_plain_decoder(tmp_path, grey, mode, suffix):
    """Grey JPEGs of one or three channels decode to the same pixels."""
    path = tmp_path / f'image.{suffix}'
    smooth = cv2.GaussianBlur(grey, (0, 0), 2)
    Image.fromarray(smooth).convert(mode).save(path)
    expected = np.asarray(Image.open(path).convert('L'), int)
    np.testing.assert_allclose(load(path, channels=1)[..., 0], expected, atol=1)


def test_one_bit_image(tmp_path, grey):
    """1-bit pixels become 0 and 255, from a file or an array."""
    path = tmp_path / 'image.png'
    Image.fromarray(grey > 100).save(path)
    for image in (load(path), InfraredReader().convert(grey > 100)):
        np.testing.assert_array_equal(image[..., 0], (grey > 100) * 255)


def test_unequal_channels_become_luma(tmp_path, grey):
    """Colour becomes 0.299 R + 0.587 G + 0.114 B, equal in all channels."""
    path = tmp_path / 'image.png'
    rgb = np.dstack([grey, grey[::-1], grey[:, ::-1]])
    Image.fromarray(rgb).save(path)
    image = load(path).astype(float)
    np.testing.assert_allclose(image[..., 0], rgb @ [0.299, 0.587, 0.114], atol=0.51)
    assert (np.ptp(image, axis=2) == 0).all()


def test_chosen_channel(tmp_path, grey):
    """``channel=3`` takes thermal out of an alpha channel, which else is dropped."""
    path = tmp_path / 'image.png'
    Image.fromarray(np.dstack([grey, grey, grey, 255 - grey])).save(path)
    np.testing.assert_array_equal(load(path)[..., 1], grey)
    np.testing.assert_array_equal(load(path, channel=3)[..., 0], 255 - grey)
    with pytest.raises(DuGIError, match='channel=4'):
        load(path, channel=4)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('to_float32', [False, True])
@pytest.mark.parametrize('depth', [8, 16])
def test_output_form(tmp_path, grey, channels, to_float32, depth):
    """Channels, dtype and range are as documented."""
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), grey if depth == 8 else grey.astype(np.uint16) + 7000)
    reader = InfraredReader(channels=channels, to_float32=to_float32)
    image = reader.load(path)
    assert image.shape == (48, 64, channels)
    assert image.dtype == (np.float32 if to_float32 else np.uint8)
    assert image.flags.c_contiguous
    assert image.max() == 255
    assert np.array_equal(reader.decode(path.read_bytes()), image)
    assert f'channels={channels}' in repr(reader)


@pytest.mark.parametrize('suffix', ['png', 'tiff'])
def test_16bit_keeps_the_scene(tmp_path, grey, suffix):
    """256 neighbouring counts stay 256 levels; naive conversions leave 1 or 2."""
    path = tmp_path / f'image.{suffix}'
    cv2.imwrite(str(path), grey.astype(np.uint16) + 30000)
    image = load(path)
    np.testing.assert_array_equal(image[..., 0], grey)


@pytest.mark.parametrize('compression', [None, 'zlib'])
@pytest.mark.parametrize('dtype', ['>u2', 'i2', 'u4', 'i4', 'f2', 'f4', 'f8'])
def test_tiff_sample_formats(tmp_path, grey, dtype, compression):
    """TIFFs of any numeric sample format load, in either byte order."""
    path = tmp_path / 'image.tiff'
    tifffile.imwrite(path, grey.astype(dtype) + 20, compression=compression)
    np.testing.assert_array_equal(load(path)[..., 0], grey)


def test_16bit_colour(tmp_path, grey):
    """Three equal 16-bit channels are one grey channel, not three pictures."""
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.dstack([grey.astype(np.uint16) * 9] * 3))
    np.testing.assert_array_equal(load(path)[..., 2], grey)


def test_invalid_counts_are_left_out(tmp_path, grey):
    """Holes and non-finite values become black without moving the other pixels."""
    counts = grey.astype(np.float32) + 1000
    counts[0, :10], counts[1, :10], counts[2, :10] = np.nan, np.inf, 0
    path = tmp_path / 'image.tiff'
    tifffile.imwrite(path, counts)
    image = load(path, invalid=(0,))[..., 0]
    assert not image[:3, :10].any()
    np.testing.assert_array_equal(image[3:], grey[3:])


@pytest.mark.parametrize('normalizer', ['minmax', dict(type='fixed', lo=0, hi=9)])
def test_normalizer_is_for_deep_images_only(tmp_path, grey, normalizer):
    """8-bit pixels never change, whatever the normaliser."""
    path = tmp_path / 'image.png'
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(load(path, normalizer=normalizer)[..., 0], grey)


def test_every_kind_has_its_reason(tmp_path, write_bad_images):
    """Each error is one line with the path; its reason is the same for all alike."""
    for name, reason in write_bad_images(tmp_path).items():
        with pytest.raises(BadImageError) as caught:
            load_infrared(tmp_path / name)
        assert caught.value.reason == reason, name
        assert str(caught.value).startswith(str(tmp_path / name))
        assert '\n' not in str(caught.value)


def test_a_mark_for_missing_pixels_keeps_the_scene():
    """Half an image of the lowest float leaves the contrast of the other half."""
    image = np.linspace(0, 100, 576, dtype=np.float32).reshape(24, 24)
    image[:12] = np.finfo(np.float32).min
    grey = InfraredReader(channels=1).convert(image)[..., 0]
    assert not grey[:12].any()
    assert len(np.unique(grey[12:])) > 200


def test_image_below_one_patch(tmp_path):
    """Images smaller than a patch are refused, unless ``min_side`` allows them."""
    path = tmp_path / 'tiny.png'
    cv2.imwrite(str(path), np.zeros((15, 40), np.uint8))
    with pytest.raises(DuGIError, match=r'tiny\.png is 40x15 pixels.*lower min_side'):
        load(path)
    assert load(path, min_side=1).shape == (15, 40, 3)


def test_too_many_channels():
    """More than four channels need a choice."""
    with pytest.raises(DuGIError, match='cube has 7 channels: say which'):
        to_grey(np.zeros((20, 20, 7), np.uint16), 'cube')


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((20, 20), complex), r'x is complex128 of the shape \(20, 20\): give'),
        (np.zeros((20, 20), object), r'x is object of the shape'),
        (np.zeros((20, 20, 0)), r'x is float64 of the shape \(20, 20, 0\): give real'),
        (np.zeros((2, 20, 20, 3)), r'x is float64 of the shape \(2, 20, 20, 3\)'),
        (np.zeros((0, 20)), 'x is 20x0 pixels, smaller than 16x16'),
    ],
)
def test_arrays_that_are_no_images(image, message):
    """Other dtypes and shapes are refused by name, as bad files are."""
    with pytest.raises(BadImageError, match=message) as caught:
        InfraredReader().convert(image, 'x')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(channels=2), 'channels=2 is unknown'),
        (dict(min_side=0), 'min_side=0: give at least 1 pixel'),
        (dict(reduce_to=-1), 'reduce_to=-1: give at least 1 pixel'),
        (dict(normalizer=dict(type='percentile', low=-1)), 'low .*-1.*0 to 100'),
    ],
)
def test_wrong_settings(kwargs, message):
    """Settings out of their range are refused before any file is read."""
    with pytest.raises(DuGIError, match=message):
        InfraredReader(**kwargs)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ('name', 'levels'), [('flir_radiometric.tiff', 200), ('arctic_therm_16bit.png', 50)]
)
def test_real_16bit_files_keep_their_levels(data_root, name, levels):
    """With the defaults, more than 200 (TIFF) and 50 of 61 (PNG) levels survive."""
    image = load(data_root / 'radiometric16' / name)
    assert image.shape == (512, 640, 3)
    assert len(np.unique(image)) > levels


@pytest.mark.real_data
def test_real_sirst_modes(data_root):
    """Real images of modes L, RGB and P all load as equal channels."""
    modes = {}
    for path in sorted((data_root / 'sirst/images').glob('*.png')):
        modes.setdefault(Image.open(path).mode, path)
    assert set(modes) == {'L', 'RGB', 'P'}
    for path in modes.values():
        image = load(path)
        assert (np.ptp(image, axis=2) == 0).all()
        expected = np.asarray(Image.open(path).convert('RGB').convert('L'), int)
        np.testing.assert_allclose(image[..., 0], expected, atol=1)


@pytest.mark.parametrize(
    ('size', 'least', 'expected'),
    [
        ((1024, 1300), 512, (512, 650)),
        ((1024, 1300), 128, (128, 163)),
        ((1024, 1300), 513, (1024, 1300)),
        ((1024, 1300), None, (1024, 1300)),
    ],
)
def test_large_jpegs_are_decoded_smaller(tmp_path, size, least, expected):
    """At a half, a quarter or an eighth; pixels are means of blocks."""
    smooth = cv2.resize(np.random.RandomState(0).rand(9, 9), size[::-1])
    image = (255 * smooth.clip(0, 1)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / 'image.jpg'), image)
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    load = InfraredReader(channels=1, reduce_to=least)
    found = load.load(str(tmp_path / 'image.jpg'))[..., 0]
    assert found.shape == expected
    mean = cv2.resize(image, expected[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - mean).mean() < 2
    assert load.load(str(tmp_path / 'image.png')).shape[:2] == size
