"""Where converters may write, and what they read off an image's header."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from dugi_mae.converters.dronevehicle import convert as convert_dronevehicle
from dugi_mae.converters.folders import check_out, image_size
from dugi_mae.converters.hit_uav import convert as convert_hit_uav
from dugi_mae.converters.irstd1k import convert as convert_irstd1k
from dugi_mae.converters.m3fd import convert as convert_m3fd
from dugi_mae.converters.mfnet import convert as convert_mfnet
from dugi_mae.images.reading import decode
from dugi_mae.errors import DuGIError


def contents(folder) -> dict:
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize(
    ('name', 'convert', 'link', 'target'),
    [
        ('irstd1k', convert_irstd1k, 'masks', 'IRSTD1k_Label'),
        ('mfnet', convert_mfnet, 'thermal', 'images'),
        ('hit_uav', convert_hit_uav, 'annotations', 'normal_json/annotations'),
        ('dronevehicle', convert_dronevehicle, 'images/train', 'train/trainimgr'),
    ],
)
def test_no_link_of_out_leads_into_the_source(
    request, tmp_path, name, convert, link, target
):
    """A folder that gets files and is a link is refused; the source stays as it is."""
    source, out = request.getfixturevalue(name), tmp_path / 'out'
    before = contents(source)
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(source / target)
    with pytest.raises(DuGIError, match=f'^{out}/{link} is a link .*: remove it or na'):
        convert(source, out)
    assert contents(source) == before


def test_nor_into_another_source(m3fd, dronevehicle, tmp_path):
    """The link that one converter leaves takes no images of another one."""
    before = contents(m3fd)
    convert_m3fd(m3fd, tmp_path / 'out')
    with pytest.raises(DuGIError, match='out/images is a link that leads to'):
        convert_dronevehicle(dronevehicle, tmp_path / 'out')
    assert contents(m3fd) == before


@pytest.mark.parametrize(
    ('source', 'out', 'message'),
    [
        ('gone', 'out', 'folder .*/gone does not exist: correct SRC'),
        ('set', 'file', 'OUT .*/file is a file: name a folder'),
        ('set', 'set/x', 'OUT .*set/x lies in SRC .*set: name a folder elsewhere'),
        ('o/images', 'o', 'OUT .*o/images lies in SRC .*o/images: name a folder'),
        ('set', 'o', None),
    ],
)
def test_where_out_may_be(tmp_path, source, out, message):
    """A folder outside of the source, and so are the folders that get files."""
    for name in ('set', 'o/images'):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / 'file').touch()
    arguments = tmp_path / source, tmp_path / out, 'images'
    if message is None:
        return check_out(*arguments)
    with pytest.raises(DuGIError, match=f'^{message}'):
        check_out(*arguments)


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
def test_sizes_of_scientific_tiffs(tmp_path, dtype, shape):
    """What ``LoadInfraredImage`` decodes is not damaged."""
    path = tmp_path / 'a.tif'
    layout = dict(planarconfig='contig', photometric='minisblack')
    tifffile.imwrite(path, np.zeros(shape, dtype), **layout)
    assert image_size(path) == (64, 48)
    assert decode(path.read_bytes()).shape[:2] == (48, 64)


def test_sizes_know_no_orientation(tmp_path):
    """A converter's size is the loader's: that of the stored pixels."""
    path, exif = tmp_path / 'a.jpg', Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path, exif=exif)
    assert image_size(path) == (64, 48)
    assert decode(path.read_bytes()).shape[:2] == (48, 64)


@pytest.mark.parametrize('ending', ['jpg', 'png', 'bmp', 'tif', 'tiff', 'webp'])
def test_sizes_of_every_kind(tmp_path, ending):
    """All endings that count as images, and their damage."""
    path = tmp_path / f'a.{ending}'
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path)
    assert image_size(path) == (64, 48)
    for content in (b'', b'II*\0', b'no image'):
        path.write_bytes(content)
        with pytest.raises(DuGIError, match=f'^image {path} is damaged: copy it again'):
            image_size(path)
    path.unlink()
    with pytest.raises(DuGIError, match='does not exist: copy the set whole'):
        image_size(path)
    path.mkdir()
    with pytest.raises(DuGIError, match=r'cannot be read \(Is a directory\): check'):
        image_size(path)
