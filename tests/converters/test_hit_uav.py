"""HIT-UAV's JSON becomes valid COCO; its images stay where they are."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from dugi_mae.converters.hit_uav import CLASSES, convert
from dugi_mae.errors import DuGIError


def read(out, split: str = 'train') -> dict:
    """The annotation file of a split."""
    return json.loads((out / 'annotations' / f'{split}.json').read_text())


@pytest.mark.parametrize('inner', [False, True])
def test_both_folders_are_understood(hit_uav, tmp_path, inner):
    """The release or its ``normal_json``: file names fit the link that is made."""
    out = tmp_path / 'out'
    convert(hit_uav / 'normal_json' if inner else hit_uav, out)
    content = read(out)
    assert [image['file_name'] for image in content['images']] == [
        f'{"" if inner else "normal_json/"}train/{name}.jpg' for name in 'ab'
    ]
    for image in content['images'] + read(out, 'val')['images']:
        assert (out / 'images' / image['file_name']).is_file()


def test_boxes(hit_uav, tmp_path):
    """DontCare is gone, numbers start at 1, boxes are cut to the image."""
    lines = convert(hit_uav, tmp_path / 'out')
    train, val = (read(tmp_path / 'out', split) for split in ('train', 'val'))
    assert [item['name'] for item in train['categories']] == list(CLASSES)
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


def test_runs_again(hit_uav, tmp_path):
    """A second run gives the same bytes, mends the link and touches no source."""
    out, before = tmp_path / 'out', sorted(hit_uav.rglob('*'))
    convert(hit_uav, out)
    first = (out / 'annotations' / 'train.json').read_bytes()
    (out / 'images').unlink()
    (out / 'images').symlink_to(tmp_path / 'gone')
    (out / 'annotations' / 'train.json').write_text('older')
    convert(hit_uav, out)
    assert (out / 'annotations' / 'train.json').read_bytes() == first
    assert (out / 'images').resolve() == hit_uav
    assert sorted(hit_uav.rglob('*')) == before
    assert sorted(p.name for p in out.rglob('*') if not p.is_dir()) == [
        'train.json',
        'val.json',
    ]


def edit(hit_uav, change) -> None:
    """Change the training file."""
    path = hit_uav / 'normal_json' / 'annotations' / 'train.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('annotation'), 'not from normal_json of HIT-UAV'),
        (lambda c: c['images'].clear(), 'train.json lists no image'),
        (lambda c: c['categories'].pop(3), 'no category OtherVehicle'),
        (lambda c: c['images'][0].update(filename='z.jpg'), 'z.jpg of .*is not in'),
        (lambda c: c['images'][1].update(filename='a.jpg'), 'train/a.jpg twice: take'),
        (lambda c: c['annotation'][0].update(image_id=9), 'belongs to image 9'),
        (lambda c: c['annotation'][0].update(bbox=[1, 2, 3, 4, 5]), 'rotated boxes'),
    ],
)
def test_bad_sources(hit_uav, tmp_path, change, message):
    """What is wrong is named, and nothing is written."""
    edit(hit_uav, change)
    with pytest.raises(DuGIError, match=message) as error:
        convert(hit_uav, tmp_path / 'out')
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'out').exists()


def test_images_are_looked_at(hit_uav, tmp_path, make_image):
    """The size is the image's own, another one is counted; damage is named."""
    path = hit_uav / 'normal_json' / 'train' / 'b.jpg'
    make_image(path, (80, 60))
    lines = convert(hit_uav, tmp_path / 'out')
    assert 'train: images of another size than the annotations state: 1' in lines
    image = read(tmp_path / 'out')['images'][1]
    assert (image['width'], image['height']) == (80, 60)
    path.write_bytes(b'')
    with pytest.raises(DuGIError, match='b.jpg is damaged: copy it again'):
        convert(hit_uav, tmp_path / 'out')


def test_damaged_json(hit_uav, tmp_path):
    """A file cut short is named."""
    path = hit_uav / 'normal_json' / 'annotations' / 'val.json'
    path.write_text(path.read_text()[:50])
    with pytest.raises(DuGIError, match='val.json is damaged JSON'):
        convert(hit_uav, tmp_path / 'out')


def test_bad_folders(hit_uav, tmp_path):
    """Missing, wrong and mixed-up folders are named."""
    with pytest.raises(DuGIError, match='/gone does not exist: correct SRC'):
        convert(tmp_path / 'gone', tmp_path / 'out')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DuGIError, match='/empty holds neither normal_json nor annot'):
        convert(tmp_path / 'empty', tmp_path / 'out')
    for out in (hit_uav, hit_uav / 'normal_json' / 'x'):
        with pytest.raises(DuGIError, match='lies in SRC .*: name a folder elsewhere'):
            convert(hit_uav, out)
    (tmp_path / 'out' / 'images').mkdir(parents=True)
    with pytest.raises(DuGIError, match='out/images is in the way of a link'):
        convert(hit_uav, tmp_path / 'out')
    (tmp_path / 'file').touch()
    with pytest.raises(DuGIError, match='OUT .*/file is a file: name a folder'):
        convert(hit_uav, tmp_path / 'file')
    with pytest.raises(DuGIError, match='file/x/images cannot be made .*another OUT, '):
        convert(hit_uav, tmp_path / 'file' / 'x')


@pytest.mark.real_data
def test_real_files(data_root, tmp_path):
    """Counts agree with the released files, and pycocotools reads the result."""
    coco = pytest.importorskip('pycocotools.coco')
    source = data_root / 'hit_uav'
    convert(source, tmp_path / 'out')
    for split, images in (('train', 480), ('val', 120)):
        raw = json.loads(
            (source / 'normal_json' / 'annotations' / f'{split}.json').read_text()
        )
        names = {item['id']: item['name'] for item in raw['categories']}
        expected = Counter(names[item['category_id']] for item in raw['annotation'])
        assert expected.pop('DontCare') > 0
        api = coco.COCO(str(tmp_path / 'out' / 'annotations' / f'{split}.json'))
        found = Counter(
            api.cats[item['category_id']]['name'] for item in api.anns.values()
        )
        assert found == expected
        assert len(api.imgs) == len(raw['images']) == images
        # The boxes of an image are its own, whatever the numbers of either.
        file_names = {item['id']: item['filename'] for item in raw['images']}
        raw_boxes = {
            (file_names[item['image_id']], *item['bbox'])
            for item in raw['annotation']
            if names[item['category_id']] != 'DontCare'
        }
        assert raw_boxes == {
            (api.imgs[a['image_id']]['file_name'].rsplit('/')[-1], *a['bbox'])
            for a in api.anns.values()
        }
