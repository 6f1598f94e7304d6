"""JPEG beyond its pixels: the end of the image, and temperatures of cameras."""

from __future__ import annotations

import io
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import noise

from dugi_mae.errors import BadImageError
from dugi_mae.images import InfraredReader, jpeg, load_infrared
from dugi_mae.images.reading import decode, image_size

#: Least, median and greatest temperature in degrees Celsius, as docs/data.md has them.
TEMPERATURES = {
    '200_deg_neutral': (31.69, 34.77, 87.38),
    'aqua_tower_thermal_imaging': (-71.90, -9.77, 3.63),
    'ir_fussbodenheizung': (16.72, 19.78, 34.47),
    'ir_moving_car': (-10.34, 3.92, 14.95),
    'linear_load': (30.03, 34.23, 89.27),
    'thermal_image_of_four_ducks_swimming': (7.21, 8.92, 23.24),
}
needs_flyr = pytest.mark.skipif(
    not find_spec('flyr'), reason="the extra 'images' is not installed"
)


def encoded(pixels: np.ndarray, **options) -> bytes:
    """A JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'JPEG', **options)
    return file.getvalue()


def with_segment(content: bytes, segment: bytes, marker: int = 0xE1) -> bytes:
    """A JPEG with one more segment at its beginning."""
    size = (len(segment) + 2).to_bytes(2, 'big')
    return content[:2] + bytes([0xFF, marker]) + size + segment + content[2:]


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize('restart', [0, 2])
@pytest.mark.parametrize(
    'behind',
    [
        np.linspace(20, 40, 3000, dtype=np.float32).tobytes(),
        np.arange(65536, dtype=np.uint16).tobytes(),  # has every marker
        b'\xff\xda\0\x08',
        encoded(np.zeros((16, 16), np.uint8)),
        bytes(512),
    ],
    ids=['floats', 'counts', 'scan', 'image', 'padding'],
)
def test_data_behind_the_end(behind, restart, progressive):
    """The image is read, whatever a camera wrote behind it."""
    options = dict(progressive=progressive, restart_marker_blocks=restart)
    content = encoded(noise(48, 64), **options)
    expected = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_allclose(decode(content + behind), expected, atol=1)


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize('part', [0.1, 0.5, 0.9, 0.999])
def test_cut_short(part, progressive):
    """Without its own end marker an image is cut short, thumbnails or not."""
    content = encoded(noise(48, 64), progressive=progressive)
    content = with_segment(content, encoded(noise(16, 16)), 0xE5)
    assert decode(content).shape == (48, 64)
    with pytest.raises(BadImageError, match='cut short') as caught:
        decode(content[: int(part * len(content))], 'a')
    assert caught.value.reason == 'cut short'


@pytest.mark.parametrize(
    'content',
    [
        b'\xff\xd8\xff\xd9',  # no scan
        b'\xff\xd8\xff\xe0\0\0' + b'\xff\xe0\0\0' * 9,  # segments without length
        b'\xff\xd8' + b'\xff' * 99,
    ],
)
def test_no_image_at_all(content):
    """Walking the markers comes to an end."""
    with pytest.raises(BadImageError, match='^a is damaged'):
        decode(content, 'a')


@pytest.fixture
def radiometric() -> bytes:
    """A colour JPEG with a segment of FLIR's that holds nothing."""
    return with_segment(encoded(noise(48, 64)), b'FLIR\0\x01\0\0' + bytes(80))


def test_without_flyr_one_warning_says_that_colours_are_read(monkeypatch, radiometric):
    """It names the file and the extra, once a run."""
    monkeypatch.setattr(jpeg, 'find_spec', lambda name: None)
    monkeypatch.setattr(jpeg, '_WARNED', bytearray(1))
    with pytest.warns(
        UserWarning, match=r"^a\.jpg .*pip install 'dugi-mae\[images"
    ) as w:
        first = decode(radiometric, 'a.jpg')
        decode(radiometric, 'b.jpg')
    assert len(w) == 1
    expected = np.asarray(Image.open(io.BytesIO(radiometric)))
    np.testing.assert_allclose(first, expected, atol=1)


def test_an_ordinary_jpeg_gives_no_warning(monkeypatch):
    """Neither EXIF nor the letters FLIR in a scan or behind the end."""
    monkeypatch.setattr(jpeg, 'find_spec', lambda name: None)
    monkeypatch.setattr(jpeg, '_WARNED', bytearray(1))
    content = with_segment(encoded(noise(48, 64)), b'Exif\0\0 FLIR\0')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        decode(content + b'\xff\xe1\0\x09FLIR\0\0')


@needs_flyr
def test_temperatures_that_cannot_be_read(radiometric):
    """The file is named; its colours are not taken for them."""
    with pytest.raises(BadImageError, match=r'^a\.jpg .*FLIR segments') as caught:
        decode(radiometric, 'a.jpg')
    assert caught.value.reason == 'radiometric'


@needs_flyr
@pytest.mark.real_data
@pytest.mark.parametrize('name', TEMPERATURES)
def test_temperatures_of_real_cameras(data_root, name):
    """Kelvin at the picture's size, by every way that an image is read."""
    import flyr

    path = data_root / 'radiometric_flir' / f'{name}.jpg'
    kelvin = flyr.unpack(str(path)).kelvin
    found = np.array([kelvin.min(), np.median(kelvin), kelvin.max()]) - 273.15
    np.testing.assert_allclose(found, TEMPERATURES[name], atol=0.01)
    width, height = Image.open(path).size
    times = height // kelvin.shape[0]
    repeated = kelvin.repeat(times, 0).repeat(times, 1)
    pixels = decode(path.read_bytes())
    assert image_size(path) == (width, height) and pixels.shape == (height, width)
    np.testing.assert_allclose(pixels, repeated, atol=1e-4)
    grey = load_infrared(path, channels=1)
    assert len(np.unique(grey)) > 150
    order = np.argsort(repeated, axis=None)
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()
    reader = InfraredReader(1, dict(type='fixed', lo=273.15, hi=373.15))
    expected = np.rint(255 * np.clip((pixels.astype(float) - 273.15) / 100, 0, 1))
    np.testing.assert_allclose(reader.load(path)[..., 0], expected, atol=1)


@needs_flyr
@pytest.mark.real_data
def test_levels_in_pipelines(data_root: Path):
    """Training's loader and the hosts' own, which inference uses, keep them."""
    transforms = pytest.importorskip('mmcv.transforms')
    import dugi_mae.mm.file_backends  # noqa: F401
    from dugi_mae.mm.transforms import LoadInfraredImage

    steps = (
        LoadInfraredImage(),
        transforms.LoadImageFromFile(backend_args=dict(backend='infrared')),
    )
    for path in sorted((data_root / 'radiometric_flir').glob('*.jpg')):
        expected = load_infrared(path)
        for step in steps:
            image = step(dict(img_path=str(path)))['img']
            np.testing.assert_array_equal(image, expected)


@needs_flyr
@pytest.mark.real_data
def test_temperatures_that_do_not_cover_the_picture(data_root):
    """A picture of other proportions has no place for each of them."""
    path = data_root / 'radiometric_flir/ir_moving_car.jpg'
    with pytest.raises(BadImageError, match=r'^a .*240x320 .*320x240 temp'):
        jpeg.read_temperatures(path.read_bytes(), (240, 320), 'a')
