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
from released_sets import voc
from toys import noise, write_image

from dugi_mae.annotations.classes import FLIR_V2, HIT_UAV, M3FD
from dugi_mae.converters import CONVERTERS, builder
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
def convert(tmp_path) -> Callable[..., list[str]]:
    """Convert to ``tmp_path / 'out'``; every image must be found below it."""

    def call(name: str, source: Path, **options) -> list[str]:
        lines = CONVERTERS[name](source, tmp_path / 'out', **options)
        for path in (tmp_path / 'out' / 'annotations').iterdir():
            for image in json.loads(path.read_text())['images']:
                pixels = cv2.imread(str(tmp_path / 'out/images' / image['file_name']))
                assert pixels.shape[:2] == (image['height'], image['width'])
        return lines

    return call


def refuse(name: str, source: Path, out: Path, message: str) -> None:
    """A conversion ends in one line, and nothing is written."""
    with pytest.raises(DuGIError, match=message) as error:
        CONVERTERS[name](source, out)
    assert '\n' not in str(error.value)
    assert not out.exists()


def edit(path: Path, change: Callable[[dict], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('inner', [False, True])
def test_hit_uav(hit_uav, tmp_path, convert, inner):
    """DontCare is gone, numbers start at 1, boxes are cut to the image.

    The release or its ``normal_json`` may be given.
    """
    before = sorted(hit_uav.rglob('*'))
    lines = convert('hit-uav', hit_uav / 'normal_json' if inner else hit_uav)
    train, val = (read(tmp_path / 'out', split) for split in ('train', 'val'))
    assert [image['file_name'] for image in train['images']] == [
        f'{"" if inner else "normal_json/"}train/{name}.jpg' for name in 'ab'
    ]
    assert tuple(item['name'] for item in train['categories']) == HIT_UAV
    assert [
        (item['id'], item['image_id'], item['category_id'], item['bbox'], item['area'])
        for item in train['annotations']
    ] == [(1, 1, 1, [1, 2, 10, 20], 200), (2, 1, 3, [5, 5, 4, 4], 16)]
    assert [item['bbox'] for item in val['annotations']] == [[60, 40, 4, 4]]
    assert lines[:4] == [
        'train: 2 images (1 without boxes), 2 boxes: Person 1, Car 0, Bicycle 1, '
        'OtherVehicle 0',
        'train: other objects left out: DontCare 1',
        'val: 1 images (0 without boxes), 1 boxes: Person 0, Car 1, Bicycle 0, '
        'OtherVehicle 0',
        'val: boxes cut to the image: 1',
    ]
    assert sorted(hit_uav.rglob('*')) == before


def test_runs_again(hit_uav, tmp_path, convert):
    """A second run gives the same bytes and fixes the link."""
    out = tmp_path / 'out'
    convert('hit-uav', hit_uav)
    first = files(out)
    (out / 'images').unlink()
    (out / 'images').symlink_to(tmp_path / 'gone')
    (out / 'annotations' / 'train.json').write_text('older')
    convert('hit-uav', hit_uav)
    assert files(out) == first
    assert {str(path) for path in first} == {
        'annotations/train.json',
        'annotations/val.json',
    }
    assert (out / 'images').resolve() == hit_uav


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('annotation'), 'not from normal_json of HIT-UAV'),
        (lambda c: c['images'].clear(), 'train.json lists no image'),
        (lambda c: c['categories'].pop(3), 'no category OtherVehicle'),
        (lambda c: c['images'][0].update(filename='z.jpg'), 'z.jpg of .*is not in'),
        (lambda c: c['images'][0].update(filename='/x.jpg'), '/x.jpg of .*outside'),
        (lambda c: c['images'][0].update(filename='a/../../x'), 'x of .*outside'),
        (lambda c: c['images'][1].update(filename='a.jpg'), 'train/a.jpg twice'),
        (lambda c: c['annotation'][0].update(image_id=9), 'image_id=9'),
        (lambda c: c['annotation'][0].update(bbox=[1, 2, 3, 4, 5]), 'rotated boxes'),
    ],
)
def test_damaged_annotations(hit_uav, tmp_path, change, message):
    """What is wrong is named."""
    edit(hit_uav / 'normal_json/annotations/train.json', change)
    refuse('hit-uav', hit_uav, tmp_path / 'out', message)


def test_images_are_looked_at(hit_uav, tmp_path, convert):
    """The size is the image's own, another one is counted; damage is named."""
    path = hit_uav / 'normal_json' / 'train' / 'b.jpg'
    write_image(path, noise(60, 80))
    lines = convert('hit-uav', hit_uav)
    assert 'train: images of another size than the annotations state: 1' in lines
    path.write_bytes(b'')
    refuse('hit-uav', hit_uav, tmp_path / 'new', 'b.jpg is damaged')


def test_bad_folders(hit_uav, tmp_path):
    """Missing, wrong and mixed-up folders are named."""
    convert, out = CONVERTERS['hit-uav'], tmp_path / 'out'
    (tmp_path / 'empty' / 'annotations').mkdir(parents=True)
    refuse('hit-uav', tmp_path / 'gone', out, '/gone does not exist: correct SRC')
    refuse('hit-uav', tmp_path / 'empty', out, 'none of train.json, val.json')
    refuse('hit-uav', tmp_path / 'empty/annotations', out, 'has no annotations in it')
    for place in (hit_uav, hit_uav / 'normal_json' / 'x'):
        with pytest.raises(DuGIError, match='lies in SRC .*: name a folder elsewhere'):
            convert(hit_uav, place)
    (out / 'images').mkdir(parents=True)
    with pytest.raises(DuGIError, match='out/images is in the way of a link'):
        convert(hit_uav, out)
    (tmp_path / 'file').touch()
    with pytest.raises(DuGIError, match='OUT .*/file is a file: name a folder'):
        convert(hit_uav, tmp_path / 'file')
    with pytest.raises(DuGIError, match='file/x/images cannot be created.*another OUT'):
        convert(hit_uav, tmp_path / 'file' / 'x')


@pytest.mark.real_data
def test_real_hit_uav(data_root, tmp_path):
    """Counts agree with the released files, and pycocotools reads the result."""
    coco = pytest.importorskip('pycocotools.coco')
    source = data_root / 'hit_uav'
    CONVERTERS['hit-uav'](source, tmp_path)
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


def test_m3fd(m3fd, tmp_path, convert):
    """A recorded split of the infrared half; sizes are the images' own."""
    out = tmp_path / 'out'
    lines = convert('m3fd', m3fd)
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
    assert 'images without an annotation file left out: 1' in lines


@pytest.mark.parametrize(
    'names', [('ir', 'Annotations'), ('IR', 'annotation'), ('infrared', 'Annotation')]
)
def test_spellings(m3fd, tmp_path, convert, names):
    """Folders are found in any case of letters, and from the folder around."""
    (m3fd / 'Ir').rename(m3fd / names[0])
    (m3fd / 'Annotation').rename(m3fd / names[1])
    (tmp_path / 'around').mkdir()
    m3fd.rename(tmp_path / 'around' / 'M3FD_Detection')
    convert('m3fd', tmp_path / 'around')


@pytest.fixture
def lists(tmp_path) -> Path:
    """Split lists of one's own."""
    folder = tmp_path / 'lists'
    folder.mkdir()
    for split, text in dict(train='00000\n3', val='00001.png', test='00002').items():
        (folder / f'{split}.txt').write_text(text.replace('3', '00003'))
    return folder


def test_own_lists(m3fd, tmp_path, convert, lists):
    """Lists of a paper are used instead of drawing, and recorded."""
    lines = convert('m3fd', m3fd, splits=lists)
    assert lines[0].startswith('train: 2 images')
    record = json.loads((tmp_path / 'out' / 'splits' / 'record.json').read_text())
    assert record['lists_from'] == str(lists)
    assert 'seed' not in record
    with pytest.raises(DuGIError, match='--splits .*omit --val-fraction and --seed'):
        convert('m3fd', m3fd, splits=lists, seed=0)


def test_split_files_of_an_earlier_run_go(m3fd, tmp_path, convert, lists):
    """Lists of three splits, then a drawn one: no test split of images now trained."""
    out = tmp_path / 'out'
    assert 'test: no such split' not in convert('m3fd', m3fd, splits=lists)
    lines = convert('m3fd', m3fd)
    assert 'test: no such split' in lines
    for name in ('annotations/test.json', 'splits/test.txt'):
        assert f'{out / name} of an earlier run removed' in lines
        assert not (out / name).exists()
    CONVERTERS['m3fd'](m3fd, tmp_path / 'new')
    assert files(out) == files(tmp_path / 'new')


def test_a_conversion_that_breaks_off_has_no_record(
    m3fd, tmp_path, convert, monkeypatch
):
    """The record vouches for the annotations: it goes first and comes last."""
    convert('m3fd', m3fd)

    def full(*_) -> None:
        raise DuGIError('disk full')

    monkeypatch.setattr(builder, 'write_text', full)
    with pytest.raises(DuGIError, match='disk full'):
        convert('m3fd', m3fd, seed=1)
    assert not (tmp_path / 'out' / 'splits' / 'record.json').exists()


@pytest.mark.parametrize(
    ('objects', 'message'),
    [
        ((), r'Truck \(its files name no object\): give'),
        (('people 1 2 11 22',), r'\(other objects left out: people 8\)'),
        (('Car', 'Bus'), r'\(objects without a box left out: 16\)'),
        (('Car', 'dog'), r'\(other objects left out: dog 8; objects without a box'),
    ],
)
def test_a_split_without_a_box(m3fd, tmp_path, objects, message):
    """It would train in silence: what the files have instead is counted."""
    for path in (m3fd / 'Annotation').iterdir():
        path.write_text(voc(*objects, size=None))
    refuse('m3fd', m3fd, tmp_path / 'out', f"^split 'train' has no box of .*{message}")


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (
            lambda root: (root / 'Ir/00003.png').unlink(),
            '00003 of .*Annotation is not in .*Ir .1 of 10',
        ),
        (
            lambda root: (root / 'Annotation/00004.xml').write_text('<annotation>'),
            '00004.xml is damaged XML',
        ),
        (
            lambda root: (root / 'Ir').rename(root / 'thermal'),
            'has no Ir or .*there: Annotation, thermal',
        ),
    ],
)
def test_damaged_voc_sets(m3fd, tmp_path, spoil, message):
    """Missing images, damaged files and other folders are named."""
    spoil(m3fd)
    refuse('m3fd', m3fd, tmp_path / 'out', message)


def test_llvip(llvip, tmp_path, convert):
    """The official split of the infrared half; empty images stay."""
    lines = convert('llvip', llvip)
    assert boxes(read(tmp_path / 'out')) == [
        (f'infrared/train/01000{n}.jpg', 'person', 1, 2, 10, 20) for n in (1, 2)
    ]
    assert len(read(tmp_path / 'out', 'test')['images']) == 2
    assert 'test: 2 images (1 without boxes), 1 boxes: person 1' in lines


def test_incomplete_llvip(llvip, tmp_path, convert):
    """Images without XML are counted; images of both parts or none are errors."""
    (llvip / 'Annotations' / '010001.xml').unlink()
    lines = convert('llvip', llvip)
    assert 'train: images without an annotation file left out: 1' in lines
    train, test = (llvip / 'infrared' / split for split in ('train', 'test'))
    shutil.copy(train / '010002.jpg', test)
    refuse('llvip', llvip, tmp_path / 'new', '010002 is in both train and test')
    (train / '010002.jpg').unlink()
    (test / '010002.jpg').unlink()
    refuse('llvip', llvip, tmp_path / 'new', '010002 of .* is not in .*infrared')
    shutil.rmtree(test)
    test.mkdir()
    refuse('llvip', llvip, tmp_path / 'new', 'infrared/test holds no image')


@pytest.mark.parametrize('place', ['beside', 'inside', 'ImageSets/Main'])
def test_flir_aligned(flir_aligned, tmp_path, convert, place):
    """Infrared images of the lists, wherever the lists are; dogs are counted."""
    root = flir_aligned / 'align'
    if place == 'inside':
        for name in ('align_train.txt', 'align_validation.txt'):
            (flir_aligned / name).rename(root / name)
    elif place != 'beside':
        (root / place).mkdir(parents=True)
        (flir_aligned / 'align_train.txt').rename(root / place / 'train.txt')
        (flir_aligned / 'align_validation.txt').rename(root / place / 'val.txt')
    lines = convert('flir', flir_aligned)
    assert boxes(read(tmp_path / 'out')) == [
        (f'align/JPEGImages/FLIR_0000{n}_PreviewData.jpeg', 'car', 1, 2, 10, 20)
        for n in (1, 3)
    ]
    assert len(read(tmp_path / 'out', 'val')['images']) == 1
    assert 'train: other objects left out: dog 2' in lines
    assert 'train: objects without a box left out: 2' in lines


def test_incomplete_flir_aligned(flir_aligned, tmp_path):
    """A missing list, image or annotation file is named."""
    root, out = flir_aligned / 'align', tmp_path / 'out'
    (root / 'Annotations' / 'FLIR_00002_PreviewData.xml').unlink()
    refuse('flir', flir_aligned, out, 'FLIR_00002_PreviewData.xml does not exist')
    (root / 'JPEGImages' / 'FLIR_00003_PreviewData.jpeg').unlink()
    refuse('flir', flir_aligned, out, 'FLIR_00003_PreviewData of .* is not in')
    (flir_aligned / 'align_train.txt').unlink()
    refuse('flir', flir_aligned, out, 'has no list align_train.txt in it or beside')


@pytest.mark.parametrize('level', ['', 'images'])
def test_flir_v1(flir_coco, tmp_path, convert, level):
    """Classes go by name; a folder more between JSON and images is found."""
    lines = convert('flir', flir_coco(1, level))
    name = f'train/{level}/thermal_8_bit/FLIR_00001.jpeg'.replace('//', '/')
    assert boxes(read(tmp_path / 'out')) == [
        (name, 'bicycle', 1, 2, 3, 4),
        (name, 'car', 0, 0, 9, 9),
    ]
    crowd = [item['iscrowd'] for item in read(tmp_path / 'out')['annotations']]
    assert crowd == [0, 1]
    assert 'train: other objects left out: other 1' in lines


def test_flir_v1_in_images(flir_coco, tmp_path, convert):
    """The extra level may also lie above the splits."""
    (tmp_path / 'around').mkdir()
    flir_coco(1).rename(tmp_path / 'around' / 'images')
    convert('flir', tmp_path / 'around')


def test_flir_v2(flir_coco, tmp_path, convert):
    """Fifteen of many categories, numbered without gaps."""
    convert('flir', flir_coco(2))
    content = read(tmp_path / 'out')
    assert tuple(item['name'] for item in content['categories']) == FLIR_V2
    name = 'images_thermal_train/data/FLIR_00001.jpeg'
    assert boxes(content) == [
        (name, 'bike', 1, 2, 3, 4),
        (name, 'other vehicle', 5, 5, 6, 6),
        (name, 'car', 0, 0, 9, 9),
    ]


def test_a_lost_split(flir_coco, tmp_path, convert):
    """A split whose folder is gone is named, and its old annotation file removed."""
    source, out = flir_coco(1), tmp_path / 'out'
    convert('flir', source)
    shutil.rmtree(source / 'train')
    lines = convert('flir', source)
    assert {'train: no such split', 'test: no such split'} <= set(lines)
    assert f'{out}/annotations/train.json of an earlier run removed' in lines
    assert [path.name for path in (out / 'annotations').iterdir()] == ['val.json']


def test_bad_flir_sources(flir_coco, tmp_path):
    """No release, a class or an image that is not there."""
    (tmp_path / 'empty').mkdir()
    refuse('flir', tmp_path / 'empty', tmp_path / 'out', 'no release of FLIR ADAS')
    source = flir_coco(1)
    path = source / 'val' / 'thermal_annotations.json'
    edit(path, lambda c: c['categories'][1].update(name='bike'))
    refuse('flir', source, tmp_path / 'out', 'no category bicycle: .*as they are rel')
    (source / 'val' / 'thermal_8_bit' / 'FLIR_00001.jpeg').unlink()
    refuse('flir', source, tmp_path / 'out', 'FLIR_00001.jpeg of .*copy the complete')


def test_dronevehicle(dronevehicle, tmp_path, convert):
    """The border is cut off images and boxes alike; dirty names are corrected."""
    out = tmp_path / 'out'
    lines = convert('dronevehicle', dronevehicle)
    name = 'train/00001.png'
    assert boxes(read(out)) == [
        (name, 'truck', 100, 100, 40, 20),
        (name, 'car', 10, 10, 40, 40),  # the hull
        (name, 'freight car', 0, 200, 60, 30),
    ]
    assert 'train: other objects left out: * 1, (no name) 1' in lines
    assert 'train: boxes cut to the image: 1' in lines
    assert 'train: boxes without area in the image left out: 1' in lines
    assert 'train: objects without a box left out: 1' in lines
    image = out / 'images' / name
    pixels = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (512, 640)
    ramp = np.linspace(0, 200, 640)
    assert abs(pixels[8:-8, 8:-8] - ramp[8:-8]).max() < 6  # JPEG
    # Images of an earlier run are kept; nothing temporary is left.
    before = image.stat().st_mtime_ns
    convert('dronevehicle', dronevehicle)
    assert image.stat().st_mtime_ns == before
    written = sorted(path.name for path in out.rglob('*') if path.is_file())
    assert written == ['00001.png', 'train.json']


def test_bad_dronevehicle_sources(dronevehicle, tmp_path):
    """Images without the border are not cut a second time."""
    path, out = dronevehicle / 'train' / 'trainimgr' / '00001.jpg', tmp_path / 'out'
    write_image(path, noise(512, 640))
    refuse('dronevehicle', dronevehicle, out, '00001.jpg is 640x512 pixels, not 840x71')
    path.write_bytes(path.read_bytes()[:100])
    refuse('dronevehicle', dronevehicle, out, '00001.jpg is damaged')
    refuse('dronevehicle', path.parent, out, 'has none of train, val and test')
