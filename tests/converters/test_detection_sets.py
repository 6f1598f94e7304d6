"""M3FD, LLVIP, FLIR and DroneVehicle in the layouts they are released in."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from dugi_mae.converters import builder, flir
from dugi_mae.converters.dronevehicle import convert as convert_dronevehicle
from dugi_mae.converters.llvip import convert as convert_llvip
from dugi_mae.converters.m3fd import convert as convert_m3fd
from dugi_mae.errors import DuGIError


def read(out, split: str = 'train') -> dict:
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


def check_links(out) -> None:
    """Every image of every split is found below OUT/images, with its size."""
    for path in (out / 'annotations').iterdir():
        for image in json.loads(path.read_text())['images']:
            pixels = cv2.imread(str(out / 'images' / image['file_name']))
            assert pixels.shape[:2] == (image['height'], image['width'])


def test_m3fd(m3fd, tmp_path):
    """A recorded split of the infrared half; sizes are the images' own."""
    out = tmp_path / 'out'
    lines = convert_m3fd(m3fd, out)
    train, val = read(out), read(out, 'val')
    assert (len(train['images']), len(val['images'])) == (8, 2)
    assert [item['name'] for item in train['categories']] == [
        *('People', 'Car', 'Bus', 'Motorcycle', 'Lamp', 'Truck')
    ]
    sizes = {
        item['file_name']: (item['width'], item['height'])
        for item in train['images'] + val['images']
    }
    assert sizes.pop('Ir/00000.png') == (80, 60)
    assert set(sizes.values()) == {(64, 48)}
    assert boxes(val)[:3] == [
        (val['images'][0]['file_name'], 'People', 1, 2, 10, 20),
        (val['images'][0]['file_name'], 'Lamp', 5, 5, 4, 4),
        (val['images'][0]['file_name'], 'Truck', 60, 40, 4, 8),
    ]
    names = (out / 'splits' / 'val.txt').read_text().split()
    assert [f'Ir/{name}.png' for name in names] == [
        item['file_name'] for item in val['images']
    ]
    record = json.loads((out / 'splits' / 'record.json').read_text())
    assert (record['seed'], record['val_fraction']) == (0, 0.2)
    assert 'images without an annotation file left out: 1' in lines
    check_links(out)


@pytest.mark.parametrize(
    'names', [('ir', 'Annotations'), ('IR', 'annotation'), ('infrared', 'Annotation')]
)
def test_m3fd_spellings(m3fd, tmp_path, names):
    """Folders are found in any case of letters, and from the folder around."""
    (m3fd / 'Ir').rename(m3fd / names[0])
    (m3fd / 'Annotation').rename(m3fd / names[1])
    source = tmp_path / 'around'
    source.mkdir()
    m3fd.rename(source / 'M3FD_Detection')
    convert_m3fd(source, tmp_path / 'out')
    check_links(tmp_path / 'out')


def test_m3fd_with_lists(m3fd, tmp_path):
    """Lists of a paper are used instead of drawing, and recorded."""
    lists = tmp_path / 'lists'
    lists.mkdir()
    (lists / 'train.txt').write_text('00000\n00001')
    (lists / 'val.txt').write_text('00002.png')
    convert_m3fd(m3fd, tmp_path / 'out', lists=lists)
    assert len(read(tmp_path / 'out')['images']) == 2
    record = json.loads((tmp_path / 'out' / 'splits' / 'record.json').read_text())
    assert record['lists_from'] == str(lists)
    assert 'seed' not in record


def test_split_files_of_an_earlier_run_go(m3fd, tmp_path):
    """Lists of three splits, then a drawn one: no test split of images now trained."""
    lists, out = tmp_path / 'lists', tmp_path / 'out'
    lists.mkdir()
    for split, name in dict(train='00000', val='00001', test='00002').items():
        (lists / f'{split}.txt').write_text(name)
    assert 'test: no such split' not in convert_m3fd(m3fd, out, lists=lists)
    lines = convert_m3fd(m3fd, out)
    assert 'test: no such split' in lines
    for folder, ending in (('annotations', 'json'), ('splits', 'txt')):
        path = out / folder / f'test.{ending}'
        assert f'{path} of an earlier run removed' in lines
        assert not path.exists()
    convert_m3fd(m3fd, tmp_path / 'new')
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob('*.*')} == {
        p.relative_to(tmp_path / 'new'): p.read_bytes()
        for p in (tmp_path / 'new').rglob('*.*')
    }


def test_a_conversion_that_breaks_off_has_no_record(m3fd, tmp_path, monkeypatch):
    """The record vouches for the annotations: it goes first and comes last."""
    out = tmp_path / 'out'
    convert_m3fd(m3fd, out)

    def full(*_) -> None:
        raise DuGIError('disk full')

    monkeypatch.setattr(builder, 'write_text', full)
    with pytest.raises(DuGIError, match='disk full'):
        convert_m3fd(m3fd, out, seed=1)
    assert not (out / 'splits' / 'record.json').exists()


@pytest.mark.parametrize(
    ('objects', 'message'),
    [
        ((), r'Truck \(its files name no object\): give the annotation files'),
        (('Car', 'Bus'), r'\(objects without a box left out: 16\)'),
        (
            ('Car', 'dog'),
            r'\(other objects left out: dog 8; objects without a box left',
        ),
    ],
)
def test_a_split_without_a_box(m3fd, tmp_path, voc_text, objects, message):
    """It would train in silence: what the files have instead is counted."""
    for path in (m3fd / 'Annotation').iterdir():
        path.write_text(voc_text(*objects, size=None))
    with pytest.raises(DuGIError, match=f"^split 'train' has no box of .*{message}"):
        convert_m3fd(m3fd, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_m3fd_annotation_for_a_missing_image(m3fd, tmp_path):
    """The annotation file is named; nothing is written."""
    (m3fd / 'Ir' / '00003.png').unlink()
    with pytest.raises(DuGIError, match=r'00003.xml has no image in .*\(1 of 10 have'):
        convert_m3fd(m3fd, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_m3fd_damaged_xml(m3fd, tmp_path):
    """The file is named."""
    (m3fd / 'Annotation' / '00004.xml').write_text('<annotation>')
    with pytest.raises(DuGIError, match='00004.xml is damaged XML'):
        convert_m3fd(m3fd, tmp_path / 'out')


def test_names_of_another_set(m3fd, tmp_path, voc_text):
    """Files none of whose names fit are no empty set."""
    for path in (m3fd / 'Annotation').iterdir():
        path.write_text(voc_text('people 1 2 11 22'))
    with pytest.raises(
        DuGIError, match=r'no box of the classes .*\(other objects left out: people 8;'
    ):
        convert_m3fd(m3fd, tmp_path / 'out')


def test_folders_that_lack_something(m3fd, tmp_path):
    """What is looked for and what is there are both said."""
    (m3fd / 'Ir').rename(m3fd / 'thermal')
    with pytest.raises(DuGIError, match='has no Ir or .*there: Annotation, thermal'):
        convert_m3fd(m3fd, tmp_path / 'out')


def test_llvip(llvip, tmp_path):
    """The official split of the infrared half; empty images stay."""
    lines = convert_llvip(llvip, tmp_path / 'out')
    assert boxes(read(tmp_path / 'out')) == [
        (f'infrared/train/01000{n}.jpg', 'person', 1, 2, 10, 20) for n in (1, 2)
    ]
    assert len(read(tmp_path / 'out', 'test')['images']) == 2
    assert 'test: 2 images (1 without boxes), 1 boxes: person 1' in lines
    check_links(tmp_path / 'out')


def test_llvip_parts_are_apart(llvip, tmp_path):
    """An image of both parts would be tested on what it trained."""
    shutil.copy(llvip / 'infrared/train/010002.jpg', llvip / 'infrared/test')
    with pytest.raises(DuGIError, match=r'010002 is in both .*train and .*test \(1 im'):
        convert_llvip(llvip, tmp_path / 'out')


def test_llvip_incomplete(llvip, tmp_path):
    """Images without XML are counted; XML without image is an error."""
    (llvip / 'Annotations' / '010001.xml').unlink()
    lines = convert_llvip(llvip, tmp_path / 'out')
    assert 'train: images without an annotation file left out: 1' in lines
    for path in (llvip / 'infrared' / 'test').iterdir():
        path.unlink()
    with pytest.raises(DuGIError, match='infrared/test holds no image'):
        convert_llvip(llvip, tmp_path / 'out')
    (llvip / 'infrared' / 'train' / '010002.jpg').rename(
        llvip / 'infrared' / 'test' / '010003.jpg'
    )
    with pytest.raises(DuGIError, match='010002.xml has no image in .*infrared'):
        convert_llvip(llvip, tmp_path / 'out')


@pytest.mark.parametrize('place', ['beside', 'inside', 'ImageSets/Main'])
def test_flir_aligned(flir_aligned, tmp_path, place):
    """Infrared images of the lists, wherever the lists are; dogs are counted."""
    root = flir_aligned / 'align'
    if place == 'inside':
        for name in ('align_train.txt', 'align_validation.txt'):
            (flir_aligned / name).rename(root / name)
    elif place != 'beside':
        (root / place).mkdir(parents=True)
        (flir_aligned / 'align_train.txt').rename(root / place / 'train.txt')
        (flir_aligned / 'align_validation.txt').rename(root / place / 'val.txt')
    lines = flir.convert(flir_aligned, tmp_path / 'out')
    assert boxes(read(tmp_path / 'out')) == [
        (f'align/JPEGImages/FLIR_0000{n}_PreviewData.jpeg', 'car', 1, 2, 10, 20)
        for n in (1, 3)
    ]
    assert len(read(tmp_path / 'out', 'val')['images']) == 1
    assert 'train: other objects left out: dog 2' in lines
    assert 'train: objects without a box left out: 2' in lines
    check_links(tmp_path / 'out')


def test_flir_aligned_incomplete(flir_aligned, tmp_path):
    """A missing list, image or annotation file is named."""
    (flir_aligned / 'align' / 'Annotations' / 'FLIR_00002_PreviewData.xml').unlink()
    with pytest.raises(DuGIError, match='FLIR_00002_PreviewData.xml does not exist'):
        flir.convert(flir_aligned, tmp_path / 'out')
    (flir_aligned / 'align' / 'JPEGImages' / 'FLIR_00003_PreviewData.jpeg').unlink()
    with pytest.raises(DuGIError, match='FLIR_00003_PreviewData.xml has no image in'):
        flir.convert(flir_aligned, tmp_path / 'out')
    (flir_aligned / 'align_train.txt').unlink()
    with pytest.raises(DuGIError, match='has no list align_train.txt in it or beside'):
        flir.convert(flir_aligned, tmp_path / 'out')


@pytest.mark.parametrize('level', ['', 'images'])
def test_flir_v1(flir_coco, tmp_path, level):
    """Classes go by name; a folder more between JSON and images is found."""
    source = flir_coco(1, level)
    lines = flir.convert(source, tmp_path / 'out')
    level = f'{level}/' if level else ''
    name = f'train/{level}thermal_8_bit/FLIR_00001.jpeg'
    assert boxes(read(tmp_path / 'out')) == [
        (name, 'bicycle', 1, 2, 3, 4),
        (name, 'car', 0, 0, 9, 9),
    ]
    crowd = [item['iscrowd'] for item in read(tmp_path / 'out')['annotations']]
    assert crowd == [0, 1]
    assert 'train: other objects left out: other 1' in lines
    check_links(tmp_path / 'out')


def test_flir_v1_in_images(flir_coco, tmp_path):
    """The extra level may also lie above the splits."""
    source = tmp_path / 'around'
    source.mkdir()
    flir_coco(1).rename(source / 'images')
    flir.convert(source, tmp_path / 'out')
    check_links(tmp_path / 'out')


def test_flir_v2(flir_coco, tmp_path):
    """Fifteen of many categories, numbered without gaps."""
    flir.convert(flir_coco(2), tmp_path / 'out')
    content = read(tmp_path / 'out')
    assert [item['name'] for item in content['categories']] == list(flir.CLASSES_V2)
    name = 'images_thermal_train/data/FLIR_00001.jpeg'
    assert boxes(content) == [
        (name, 'bike', 1, 2, 3, 4),
        (name, 'other vehicle', 5, 5, 6, 6),
        (name, 'car', 0, 0, 9, 9),
    ]
    check_links(tmp_path / 'out')


def test_flir_lost_split(flir_coco, tmp_path):
    """A split whose folder is gone is named, and its old annotation file removed."""
    source, out = flir_coco(1), tmp_path / 'out'
    flir.convert(source, out)
    shutil.rmtree(source / 'train')
    lines = flir.convert(source, out)
    assert {'train: no such split', 'test: no such split'} <= set(lines)
    assert f'{out}/annotations/train.json of an earlier run removed' in lines
    assert [path.name for path in (out / 'annotations').iterdir()] == ['val.json']


def test_flir_bad_sources(flir_coco, tmp_path):
    """No release, a missing image, a class that is not there."""
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DuGIError, match='no release of FLIR ADAS: expected JPEGImages'):
        flir.convert(tmp_path / 'empty', tmp_path / 'out')
    source = flir_coco(1)
    path = source / 'val' / 'thermal_annotations.json'
    path.write_text(path.read_text().replace('"bicycle"', '"bike"'))
    with pytest.raises(
        DuGIError,
        match="class 'bicycle' is not in .*mean 'bike'.*; give the annotation files as",
    ):
        flir.convert(source, tmp_path / 'out')
    (source / 'val' / 'thermal_8_bit' / 'FLIR_00001.jpeg').unlink()
    path.write_text(path.read_text().replace('"bike"', '"bicycle"'))
    with pytest.raises(DuGIError, match='FLIR_00001.jpeg of .*copy the set whole'):
        flir.convert(source, tmp_path / 'out')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c['images'][0].update(file_name='/x.jpeg'), 'image /x.jpeg of .*'),
        (lambda c: c['images'][0].update(file_name='a/../../x'), 'image a/../../x of'),
        (
            lambda c: c['images'].append(c['images'][0] | dict(id=1)),
            "split 'train' has image train/thermal_8_bit/FLIR_00001.jpeg twice: take",
        ),
    ],
)
def test_flir_bad_file_names(flir_coco, tmp_path, change, message):
    """Images outside of the source and entries of the same image are refused."""
    source = flir_coco(1)
    path = source / 'train' / 'thermal_annotations.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DuGIError, match=f'^{message}'):
        flir.convert(source, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_flir_images_are_looked_at(flir_coco, tmp_path, make_image):
    """The size is the image's own, another one is counted; damage is named."""
    source = flir_coco(1)
    path = source / 'train' / 'thermal_8_bit' / 'FLIR_00001.jpeg'
    make_image(path, (80, 60))
    lines = flir.convert(source, tmp_path / 'out')
    assert 'train: images of another size than the annotations state: 1' in lines
    check_links(tmp_path / 'out')
    path.write_bytes(b'')
    with pytest.raises(DuGIError, match='FLIR_00001.jpeg is damaged: copy it again'):
        flir.convert(source, tmp_path / 'out')


def test_dronevehicle(dronevehicle, tmp_path):
    """The border is cut off images and boxes alike; dirty names are mended."""
    out = tmp_path / 'out'
    lines = convert_dronevehicle(dronevehicle, out)
    name = 'train/00001.png'
    assert boxes(read(out)) == [
        (name, 'car', 10, 10, 40, 40),  # the hull
        (name, 'freight car', 0, 200, 60, 30),
        (name, 'truck', 100, 100, 40, 20),
    ]
    assert 'train: other objects left out: * 1, (no name) 1' in lines
    assert 'train: boxes cut to the image: 1' in lines
    assert 'train: boxes without area in the image left out: 1' in lines
    assert 'train: objects without a box left out: 1' in lines
    pixels = cv2.imread(str(out / 'images' / name), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (512, 640)
    ramp = np.linspace(0, 200, 640)
    assert abs(pixels[8:-8, 8:-8] - ramp[8:-8]).max() < 6  # JPEG
    check_links(out)


def test_dronevehicle_again(dronevehicle, tmp_path):
    """Images of an earlier run are kept; nothing temporary is left."""
    out = tmp_path / 'out'
    convert_dronevehicle(dronevehicle, out)
    image = out / 'images' / 'train' / '00001.png'
    before = image.stat().st_mtime_ns
    convert_dronevehicle(dronevehicle, out)
    assert image.stat().st_mtime_ns == before
    assert sorted(path.name for path in out.rglob('*') if path.is_file()) == [
        '00001.png',
        'train.json',
    ]


def test_dronevehicle_bad_sources(dronevehicle, tmp_path, make_image):
    """Images without the border are not cut a second time."""
    path = dronevehicle / 'train' / 'trainimgr' / '00001.jpg'
    make_image(path, (640, 512))
    with pytest.raises(DuGIError, match='00001.jpg is 640x512 pixels, not 840x712'):
        convert_dronevehicle(dronevehicle, tmp_path / 'out')
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DuGIError, match='00001.jpg is damaged'):
        convert_dronevehicle(dronevehicle, tmp_path / 'out')
    with pytest.raises(DuGIError, match='has none of train, val and test'):
        convert_dronevehicle(dronevehicle / 'train', tmp_path / 'out')
