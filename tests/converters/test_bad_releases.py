"""What is wrong with a copy of a set is said in one line that names it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from released_sets import RELEASES, dronevehicle, flir_coco, m3fd, voc
from toys import write_image

from dugi_mae.converters import convert
from dugi_mae.errors import DuGIError

HIT_JSON = 'normal_json/annotations/train.json'
FLIR_JSON = 'val/thermal_annotations.json'
LABEL = 'train/Segmentation_labels/00002N.png'


def remove(path: str) -> Callable[[Path], object]:
    """Remove a file or folder of the release."""

    def spoil(root: Path) -> None:
        file = root / path
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return spoil


def text(path: str, content: str) -> Callable[[Path], object]:
    """Write a text file."""
    return lambda root: (root / path).write_text(content)


def pixels(path: str, image: np.ndarray) -> Callable[[Path], object]:
    """Write an image."""
    return lambda root: cv2.imwrite(str(root / path), image)


def edit(path: str, change: Callable[[dict], object]) -> Callable[[Path], object]:
    """Change a JSON file."""

    def spoil(root: Path) -> None:
        content = json.loads((root / path).read_text())
        change(content)
        (root / path).write_text(json.dumps(content))

    return spoil


def every(*spoilers: Callable[[Path], object]) -> Callable[[Path], object]:
    """Do several things."""
    return lambda root: [spoil(root) for spoil in spoilers]


def objects(*items: str) -> Callable[[Path], object]:
    """Write these objects into all files of M3FD."""

    def spoil(root: Path) -> None:
        for path in (root / 'Annotation').iterdir():
            path.write_text(voc(*items, size=None))

    return spoil


def copy(source: str, target: str) -> Callable[[Path], object]:
    """Copy a file of the release."""
    return lambda root: shutil.copy(root / source, root / target)


def refuse(name: str, source: Path, message: str) -> None:
    """A conversion ends in one line, and nothing is written."""
    out = source.parent / 'new_out'
    options = dict(subset=True) if name == 'msrs' else {}
    with pytest.raises(DuGIError, match=message) as error:
        convert(name, source, out, **options)
    assert '\n' not in str(error.value)
    assert not {*out.glob('*.txt'), *out.glob('splits'), *out.glob('annotations')}


@pytest.mark.parametrize(
    ('name', 'spoil', 'message'),
    [
        ('hit-uav', edit(HIT_JSON, lambda c: c.pop('annotation')), 'not COCO format'),
        ('hit-uav', edit(HIT_JSON, lambda c: c['categories'].pop(3)), 'OtherVehicle'),
        *(
            (
                'hit-uav',
                edit(HIT_JSON, change),
                'no box of the classes .*' + re.escape(f'left out, image {name} of '),
            )
            for name, change in {
                'z.jpg': lambda c: c['images'][0].update(filename='z.jpg'),
                '/x.jpg': lambda c: c['images'][0].update(filename='/x.jpg'),
                'a/../b.jpg': lambda c: c['images'][0].update(filename='a/../b.jpg'),
            }.items()
        ),
        (
            'hit-uav',
            edit(HIT_JSON, lambda c: c['images'][1].update(filename='a.jpg')),
            'train/a.jpg twice',
        ),
        ('hit-uav', remove('normal_json/annotations'), 'none of annotations'),
        (
            'm3fd',
            every(*(remove(f'Ir/0000{n}.png') for n in range(4))),
            'has 4 bad files of .*more than 3 and 1%.*00000.xml has no image 00000 in',
        ),
        (
            'm3fd',
            every(*(text(f'Annotation/0000{n}.xml', '<a>') for n in range(1, 7))),
            '[4-6] bad files of .*xml is damaged XML',
        ),
        ('m3fd', lambda root: (root / 'Ir').rename(root / 'i'), 'no Ir or .*Annotat'),
        ('m3fd', objects(), r"'train' has no box .*\(its files name no object\)"),
        ('m3fd', objects('people 1 2 11 22'), r"\(objects called 'people' left out: 8"),
        (
            'llvip',
            copy('infrared/train/010002.jpg', 'infrared/test/010002.jpg'),
            '010002 is in both train and test',
        ),
        ('flir', remove('align/JPEGImages'), 'no release of FLIR ADAS'),
        (
            'flir',
            remove('align/JPEGImages/FLIR_00003_PreviewData.jpeg'),
            'image FLIR_00003_PreviewData of .*align_train.txt is not in',
        ),
        ('flir', remove('align_train.txt'), 'has no list align_train.txt'),
        (
            'dronevehicle',
            pixels('train/trainimgr/00001.jpg', np.zeros((512, 640), np.uint8)),
            '00001.jpg is 640x512 pixels, not 840x712',
        ),
        ('dronevehicle', remove('train'), 'has none of train, val and test'),
        ('msrs', remove('test'), 'has no test in it'),
        ('msrs', remove(LABEL), '00002N of .*ir is not in .*Segmentation_labels'),
        ('msrs', remove('train/ir/00002N.png'), '00002N of .*labels is not in .*ir'),
        (
            'msrs',
            pixels(LABEL, np.full((48, 64), 9, np.uint8)),
            '00002N.png .* value 9',
        ),
        ('msrs', copy('test/vi/00003D.png', LABEL), '00002N.png .* kind RGB'),
        ('msrs', pixels(LABEL, np.zeros((48, 60), np.uint8)), '00002N.png is 60x48'),
        ('msrs', text(LABEL, '\x89PNG'), '00002N.png is damaged'),
        ('mfnet', pixels('images/00002N.png', np.zeros((48, 64, 3))), 'no channel=3'),
        (
            'mfnet',
            pixels('images/00002N.png', np.full((48, 64, 4), 255)),
            '00002N.png has nothing but 255',
        ),
        ('mfnet', pixels('labels/00002N.png', np.full((48, 64), 12)), 'the value 12'),
        ('mfnet', remove('labels/00003D.png'), '00003D of .*val.txt is not in .*lab'),
        ('mfnet', text('val.txt', '00001D'), '00001D is in both train and val'),
        ('mfnet', remove('val.txt'), 'val.txt cannot be read'),
        (
            'irstd1k',
            pixels('IRSTD1k_Label/XDU1.png', np.zeros((30, 40), np.uint8)),
            'XDU1.png is 40x30 pixels, its image .* is 40x32',
        ),
        ('irstd1k', remove('IRSTD1k_Label/XDU2.png'), 'XDU2 of .* is not in .*Label'),
        ('irstd1k', text('test.txt', 'XDU1'), 'XDU1 is in both trainval and test'),
        ('irstd1k', remove('trainvaltest.txt'), 'has no split lists'),
        ('irstd1k', copy('trainval.txt', 'trainvaltest.txt'), 'names no test image'),
        ('irstd1k', remove('IRSTD1k_Img'), 'has no IRSTD1k_Img or'),
    ],
)
def test_bad_copy(tmp_path, name, spoil, message):
    """Missing, damaged and foreign files are told apart, and nothing passes for one."""
    root = RELEASES[name](tmp_path)
    spoil(root)
    refuse(name, root, message)


def test_bad_copy_of_flir_v1(tmp_path):
    """A class or an image that is not there."""
    source = flir_coco(tmp_path)
    edit(FLIR_JSON, lambda c: c['categories'][1].update(name='bike'))(source)
    refuse('flir', source, 'no category bicycle: .*as they are rel')
    edit(FLIR_JSON, lambda c: c['categories'][1].update(name='bicycle'))(source)
    remove('train/thermal_8_bit/FLIR_00001.jpeg')(source)
    refuse('flir', source, 'FLIR_00001.jpeg of .*copy the complete')


def test_a_part_of_msrs_is_not_the_set(tmp_path):
    """Another number of images than the official one is an error unless asked for."""
    with pytest.raises(DuGIError, match='holds 3 images, the official split 1083'):
        convert('msrs', RELEASES['msrs'](tmp_path), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize(
    ('name', 'link', 'target'),
    [
        ('irstd1k', 'masks', 'IRSTD1k_Label'),
        ('mfnet', 'thermal', 'images'),
        ('hit-uav', 'annotations', 'normal_json/annotations'),
        ('dronevehicle', 'images/train', 'train/trainimgr'),
    ],
)
def test_no_link_of_out_leads_into_the_source(tmp_path, name, link, target):
    """A folder that gets files and is a link is refused; the source stays as it is."""
    source, out = RELEASES[name](tmp_path), tmp_path / 'out'
    before = contents(source)
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(source / target)
    with pytest.raises(DuGIError, match=f'^{out}/{link} is a link .*remove it'):
        convert(name, source, out)
    assert contents(source) == before


def test_nor_into_another_source(tmp_path):
    """The link that one converter leaves takes no images of another one."""
    source = m3fd(tmp_path)
    before = contents(source)
    convert('m3fd', source, tmp_path / 'out')
    with pytest.raises(DuGIError, match='out/images is a link that leads to'):
        convert('dronevehicle', dronevehicle(tmp_path), tmp_path / 'out')
    assert contents(source) == before


@pytest.mark.parametrize(
    ('source', 'out', 'message'),
    [
        ('gone', 'out', '/gone does not exist: correct SRC'),
        ('M3FD_Detection', 'file', 'OUT .*/file is a file: name a folder'),
        ('M3FD_Detection', 'M3FD_Detection/x', 'OUT .*/x lies in SRC .*elsewhere'),
        ('o/annotations', 'o', 'OUT .*o/annotations lies in SRC .*o/annotations'),
        ('M3FD_Detection', 'file/x', 'file/x cannot be used .*SRC readable'),
        ('M3FD_Detection', 'o', 'o/images is in the way of a link'),
    ],
)
def test_where_out_may_be(tmp_path, source, out, message):
    """A folder outside of the source that can be written to."""
    m3fd(tmp_path)
    write_image(tmp_path / 'o/images/0.png')
    (tmp_path / 'o/annotations').mkdir()
    (tmp_path / 'file').touch()
    with pytest.raises(DuGIError, match=message):
        convert('m3fd', tmp_path / source, tmp_path / out)
