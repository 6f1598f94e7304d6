"""HIT-UAV, M3FD, LLVIP, FLIR and DroneVehicle in the layouts they are released in."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from released_sets import (
    dronevehicle,
    flir_aligned,
    flir_coco,
    hit_uav,
    llvip,
    m3fd,
    write,
)
from toys import noise, write_image

from dugi_mae import converters
from dugi_mae.annotations.classes import FLIR_V2, HIT_UAV, M3FD
from dugi_mae.converters import builder
from dugi_mae.errors import DuGIError


def read(out: Path, split: str = 'train') -> dict:
    """The annotation file of a split."""
    return json.loads((out / 'annotations' / f'{split}.json').read_text())


def boxes(content: dict) -> list[tuple]:
    """File name, class and box of every object."""
    images = {item['id']: item['file_name'] for item in content['images']}
    names = {item['id']: item['name'] for item in content['categories']}
    return [
        (images[item['image_id']], names[item['category_id']], *item['bbox'])
        for item in content['annotations']
    ]


def files(folder: Path) -> dict[Path, bytes]:
    """Content of every file below a folder, links left out."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and (folder / 'images') not in path.parents
    }


@pytest.fixture
def out(tmp_path) -> Path:
    """Where :func:`convert` writes to."""
    return tmp_path / 'out'


@pytest.fixture
def convert(out) -> Callable[..., list[str]]:
    """Convert to ``out``; every image must be found below it."""

    def call(name: str, source: Path, **options) -> list[str]:
        lines = converters.convert(name, source, out, **options)
        for path in (out / 'annotations').iterdir():
            for image in json.loads(path.read_text())['images']:
                pixels = cv2.imread(str(out / 'images' / image['file_name']))
                assert pixels.shape[:2] == (image['height'], image['width'])
        return lines

    return call


@pytest.mark.parametrize('inner', ['', 'normal_json'])
def test_hit_uav(tmp_path, out, convert, inner):
    """DontCare is gone, numbers start at 1, boxes are cut to the image.

    The release or its ``normal_json`` may be given.
    """
    source = hit_uav(tmp_path)
    before = sorted(source.rglob('*'))
    lines = convert('hit-uav', source / inner)
    train, val = read(out), read(out, 'val')
    names = [image['file_name'] for image in train['images']]
    assert names == ['train/a.jpg', 'train/b.jpg']
    assert tuple(item['name'] for item in train['categories']) == HIT_UAV
    assert [
        (item['id'], item['image_id'], item['category_id'], item['bbox'], item['area'])
        for item in train['annotations']
    ] == [(1, 1, 1, [1, 2, 10, 20], 200), (2, 1, 3, [5, 5, 4, 4], 16)]
    assert [item['bbox'] for item in val['annotations']] == [[60, 40, 4, 4]]
    assert lines[:4] == [
        'train: 2 images (1 without boxes), 2 boxes: Person 1, Car 0, Bicycle 1, '
        'OtherVehicle 0',
        "train: objects called 'DontCare' left out: 1",
        'val: 1 images (0 without boxes), 1 boxes: Person 0, Car 1, Bicycle 0, '
        'OtherVehicle 0',
        'val: boxes cut to the image or corners put in order: 1',
    ]
    assert sorted(source.rglob('*')) == before


def test_runs_again(tmp_path, out, convert):
    """A second run gives the same bytes and fixes the link; sizes are the images'."""
    source = hit_uav(tmp_path)
    convert('hit-uav', source)
    first = files(out)
    (out / 'images').unlink()
    (out / 'images').symlink_to(tmp_path / 'gone')
    (out / 'annotations' / 'train.json').write_text('older')
    convert('hit-uav', source)
    assert files(out) == first
    assert {str(path) for path in first} == {
        'annotations/train.json',
        'annotations/val.json',
    }
    assert (out / 'images').resolve() == source / 'normal_json'
    write_image(source / 'normal_json' / 'train' / 'b.jpg', noise(60, 80))
    lines = convert('hit-uav', source)
    assert 'train: images of another size than the annotations state: 1' in lines


@pytest.mark.real_data
def test_real_hit_uav(data_root, tmp_path):
    """Counts agree with the released files, and pycocotools reads the result."""
    coco = pytest.importorskip('pycocotools.coco')
    source = data_root / 'hit_uav'
    converters.convert('hit-uav', source, tmp_path)
    for split in ('train', 'val'):
        raw = json.loads((source / f'normal_json/annotations/{split}.json').read_text())
        names = {item['id']: item['name'] for item in raw['categories']}
        file_names = {item['id']: item['filename'] for item in raw['images']}
        # The boxes of an image are its own, whatever the numbers of either.
        expected = Counter(
            (file_names[a['image_id']], names[a['category_id']], *a['bbox'])
            for a in raw['annotation']
            if names[a['category_id']] != 'DontCare'
        )
        assert 0 < expected.total() < len(raw['annotation'])
        api = coco.COCO(str(tmp_path / 'annotations' / f'{split}.json'))
        assert len(api.imgs) == len(raw['images']) > 0
        assert expected == Counter(
            (Path(file).name, *rest) for file, *rest in boxes(read(tmp_path, split))
        )


def test_m3fd(tmp_path, out, convert):
    """A recorded split of the infrared half; sizes are the images' own."""
    lines = convert('m3fd', m3fd(tmp_path))
    train, val = read(out), read(out, 'val')
    assert (len(train['images']), len(val['images'])) == (8, 2)
    assert tuple(item['name'] for item in train['categories']) == M3FD
    sizes = {
        item['file_name']: (item['width'], item['height'])
        for item in train['images'] + val['images']
    }
    assert sizes.pop('Ir/00000.png') == (80, 60)
    assert set(sizes.values()) == {(64, 48)}
    name = val['images'][0]['file_name']
    assert boxes(val)[:3] == [
        (name, 'People', 1, 2, 10, 20),
        (name, 'Lamp', 5, 5, 4, 4),
        (name, 'Truck', 60, 40, 4, 8),
    ]
    names = (out / 'splits' / 'val.txt').read_text().split()
    assert [f'Ir/{name}.png' for name in names] == [
        item['file_name'] for item in val['images']
    ]
    record = json.loads((out / 'splits' / 'record.json').read_text())
    assert (record['seed'], record['val_fraction']) == (0, 0.2)
    assert 'test: no such split' in lines


@pytest.mark.parametrize('names', [('IR', 'annotation'), ('infrared', 'Annotations')])
def test_spellings(tmp_path, convert, names):
    """Folders are found in any case of letters, and from the folder around."""
    source = m3fd(tmp_path / 'around')
    for old, new in zip(('Ir', 'Annotation'), names, strict=True):
        (source / old).rename(source / new)
    convert('m3fd', tmp_path / 'around')


def test_lists_of_a_paper(tmp_path, out, convert):
    """They are used instead of drawing, and recorded.

    A drawn split afterwards leaves no test split of images that are now trained on.
    """
    source, lists = m3fd(tmp_path), tmp_path / 'lists'
    for split, names in dict(train='00000\n00003', val='00001.png', test='2').items():
        write(lists / f'{split}.txt', names.replace('2', '00002'))
    lines = convert('m3fd', source, splits=lists)
    assert lines[0].startswith('train: 2 images')
    record = json.loads((out / 'splits' / 'record.json').read_text())
    assert record['lists_from'] == str(lists) and 'seed' not in record
    lines = convert('m3fd', source)
    for name in ('annotations/test.json', 'splits/test.txt'):
        assert f'{out / name} of an earlier run removed' in lines
    converters.convert('m3fd', source, tmp_path / 'new')
    assert files(out) == files(tmp_path / 'new')


def test_a_conversion_that_breaks_off_has_no_record(
    tmp_path, out, convert, monkeypatch
):
    """The record vouches for the annotations: it goes first and comes last."""
    source = m3fd(tmp_path)
    convert('m3fd', source)
    monkeypatch.setattr(builder, 'atomic_write', lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        convert('m3fd', source)
    assert not (out / 'splits' / 'record.json').exists()


def test_llvip(tmp_path, out, convert):
    """The official split of the infrared half; empty images stay.

    Images without an annotation file are left out and counted.
    """
    source = llvip(tmp_path)
    (source / 'Annotations' / '010001.xml').unlink()
    lines = convert('llvip', source)
    name = 'infrared/train/010002.jpg'
    assert boxes(read(out)) == [(name, 'person', 1, 2, 10, 20)]
    assert len(read(out, 'test')['images']) == 2
    assert 'train: images without an annotation file left out: 1' in lines
    assert 'test: 2 images (1 without boxes), 1 boxes: person 1' in lines


@pytest.mark.parametrize('place', ['', 'align', 'align/ImageSets/Main'])
def test_flir_aligned(tmp_path, out, convert, place):
    """Infrared images of the lists, wherever the lists are; dogs are counted."""
    source = flir_aligned(tmp_path)
    if place:
        (source / place).mkdir(parents=True, exist_ok=True)
        for old, new in (('align_train', 'train'), ('align_validation', 'val')):
            new = new if 'Main' in place else old
            (source / f'{old}.txt').rename(source / place / f'{new}.txt')
    lines = convert('flir', source)
    assert boxes(read(out)) == [
        (f'JPEGImages/FLIR_0000{n}_PreviewData.jpeg', 'car', 1, 2, 10, 20)
        for n in (1, 3)
    ]
    assert len(read(out, 'val')['images']) == 1
    assert "train: objects called 'dog' left out: 2" in lines
    assert 'train: objects without a box left out: 2' in lines


@pytest.mark.parametrize(('around', 'level'), [('', ''), ('', 'images'), ('a', '')])
def test_flir_v1(tmp_path, out, convert, around, level):
    """Classes go by name; a folder more is found, wherever it is."""
    lines = convert('flir', flir_coco(tmp_path / 'src' / around, 1, level).parent)
    name = f'train/{level}/thermal_8_bit/FLIR_00001.jpeg'.replace('//', '/')
    assert boxes(read(out)) == [
        (name, 'bicycle', 1, 2, 3, 4),
        (name, 'car', 0, 0, 9, 9),
    ]
    assert [item['iscrowd'] for item in read(out)['annotations']] == [0, 1]
    assert "train: objects called 'other' left out: 1" in lines


def test_flir_v2(tmp_path, out, convert):
    """Fifteen of many categories, numbered without gaps."""
    convert('flir', flir_coco(tmp_path, 2))
    content = read(out)
    assert tuple(item['name'] for item in content['categories']) == FLIR_V2
    name = 'images_thermal_train/data/FLIR_00001.jpeg'
    assert boxes(content) == [
        (name, 'bike', 1, 2, 3, 4),
        (name, 'other vehicle', 5, 5, 6, 6),
        (name, 'car', 0, 0, 9, 9),
    ]


def test_a_lost_split(tmp_path, out, convert):
    """A split whose folder is gone is named, and its old annotation file removed."""
    source = flir_coco(tmp_path)
    convert('flir', source)
    shutil.rmtree(source / 'train')
    lines = convert('flir', source)
    assert {'train: no such split', 'test: no such split'} <= set(lines)
    assert f'{out}/annotations/train.json of an earlier run removed' in lines
    assert [path.name for path in (out / 'annotations').iterdir()] == ['val.json']


def test_dronevehicle(tmp_path, out, convert):
    """The border is cut off images and boxes alike; dirty names are corrected."""
    lines = convert('dronevehicle', dronevehicle(tmp_path))
    name = 'train/00001.png'
    assert boxes(read(out)) == [
        (name, 'truck', 100, 100, 40, 20),
        (name, 'car', 10, 10, 40, 40),  # the hull
        (name, 'freight car', 0, 200, 60, 30),
    ]
    assert {
        "train: objects called '*' left out: 1",
        "train: objects called '' left out: 1",
        'train: boxes cut to the image or corners put in order: 1',
        'train: boxes of less than a pixel in the image left out: 1',
        'train: objects without a box left out: 1',
    } <= set(lines)
    pixels = cv2.imread(str(out / 'images' / name), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (512, 640)
    ramp = np.linspace(0, 200, 640)
    assert abs(pixels[8:-8, 8:-8] - ramp[8:-8]).max() < 6  # JPEG
    written = sorted(path.name for path in out.rglob('*') if path.is_file())
    assert written == ['00001.png', 'train.json']


def test_dronevehicle_as_released(tmp_path, out, convert):
    """A truncated image and an XML without image are named; the rest is converted."""
    source = dronevehicle(tmp_path)
    images, labels = source / 'train/trainimgr', source / 'train/trainlabelr'
    content = (images / '00001.jpg').read_bytes()
    (images / '00002.jpg').write_bytes(content[: len(content) // 2])
    for name in ('00002', '00003'):
        shutil.copy(labels / '00001.xml', labels / f'{name}.xml')
    lines = convert('dronevehicle', source)
    assert [image['file_name'] for image in read(out)['images']] == ['train/00001.png']
    reported = [line for line in lines if line.startswith('train: left out, ')]
    assert len(reported) == 2
    assert f'{labels}/00003.xml has no image 00003 in {images}' in reported[0]
    assert f'{images}/00002.jpg' in reported[1]


@pytest.mark.parametrize(
    ('bad', 'total', 'accepted'),
    [
        (3, 4, True),
        (4, 100, False),
        (5, 500, True),
        (6, 500, False),
    ],
)
def test_how_many_files_may_be_bad(tmp_path, bad, total, accepted):
    """Three, or one in a hundred; more is an incomplete copy."""
    split = builder.CocoBuilder('train', ['car'], tmp_path)
    for number in range(total):
        path = tmp_path / f'{number}.png'
        if number < bad:
            path.write_bytes(b'no image')
        else:
            path.symlink_to(write_image(tmp_path / 'one' / 'image.png'))
        split.add(path, None, [builder.Item('car', (1, 2, 9, 9))])
    if accepted:
        assert len(split.content()['images']) == total - bad
    else:
        with pytest.raises(DuGIError, match=f'{bad} bad files of {total}.*0.png'):
            split.content()
