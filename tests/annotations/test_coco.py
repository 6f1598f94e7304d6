"""Annotation files are checked on reading, and classes chosen by name."""

from __future__ import annotations

import copy
import json

import pytest

from dugi_mae.annotations.coco import (
    check_coco,
    class_names,
    read_json,
    select_classes,
)
from dugi_mae.errors import DuGIError

COCO = dict(
    images=[
        dict(id=7, file_name='a.png', width=64, height=48),
        dict(id=8, file_name='b.png', width=64, height=48),
    ],
    annotations=[
        dict(id=0, image_id=7, category_id=3, bbox=[1, 2, 3, 4]),
        dict(id=1, image_id=7, category_id=91, bbox=[5, 6, 7, 8], area=9, iscrowd=1),
        dict(id=2, image_id=8, category_id=1, bbox=[0.5, 0, 2, 2]),
    ],
    categories=[
        dict(id=3, name='car'),
        dict(id=1, name='person'),
        dict(id=91, name='other vehicle'),
    ],
)


@pytest.fixture
def coco() -> dict:
    return copy.deepcopy(COCO)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_a_file_is_read(tmp_path, coco, encoding):
    """What is valid comes back as it is, classes in the file's order."""
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(coco), encoding=encoding)
    assert check_coco(read_json(path), path) == COCO
    assert class_names(coco) == ('car', 'person', 'other vehicle')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'train.json does not exist: correct the path'),
        (b'', 'train.json is empty.*copy it again'),
        (b'{"images": [', 'train.json is damaged JSON .*copy it again'),
        (b'[' * 100_000, 'train.json is damaged JSON'),
        (b'[' + b'9' * 5000 + b']', 'train.json is damaged JSON'),
        (b'\xff\xd8\xff', 'train.json cannot be read .*check that it is a JSON file'),
    ],
)
def test_unreadable_files(tmp_path, content, message):
    """Missing, empty, cut short and not text at all: one line that names the file."""
    path = tmp_path / 'train.json'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DuGIError, match=message) as error:
        read_json(path)
    assert '\n' not in str(error.value)


def broken(coco: dict, **changes) -> dict:
    """Change ``first item of a list: {key: value}``; the value ``...`` deletes."""
    for name, change in changes.items():
        for key, value in change.items():
            coco[name][0][key] = value
            if value is ...:
                del coco[name][0][key]
    return coco


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(images=dict(file_name=...)), r"images\[0\] of x has no 'file_name'"),
        (dict(images=dict(id=8)), '2 images of x share the id 8'),
        (dict(images=dict(id='7')), 'images of x have both numbers and strings'),
        (dict(categories=dict(id=1)), '2 categories of x share the id 1: give each'),
        (dict(annotations=dict(bbox=...)), r"annotations\[0\] of x has no 'bbox'"),
        (dict(annotations=dict(bbox=[1, 2, 3, 4, 0.5])), 'rotated boxes: take the hor'),
        (dict(annotations=dict(bbox=[1, 2, None, 4])), 'four numbers x, y, width'),
        (dict(annotations=dict(bbox=[1, 2, 3, float('nan')])), 'four numbers'),
        (dict(annotations=dict(bbox=[1, 2, 3, 10**400])), 'four numbers'),
        (dict(annotations=dict(image_id=9)), 'image_id=9.*not among the images'),
        (dict(annotations=dict(category_id='a\nb')), r"category_id='a\\nb'.*categori"),
        (dict(images=dict(width='64')), "width='64': a number of pixels is needed"),
        (dict(images=dict(height=0)), 'height=0: a number of pixels is needed'),
        (dict(images=dict(id=[7])), r'id=\[7\]: a whole number or string is needed'),
        (dict(images=dict(file_name=3)), 'file_name=3: a string is needed'),
        (dict(annotations=dict(area='9')), "area='9': a number is needed"),
        (dict(annotations=dict(iscrowd='no')), "iscrowd='no': 0 or 1 is needed"),
        (dict(annotations=dict(segmentation=[[1, 'x']])), 'polygons or of run lengths'),
        (dict(annotations=dict(segmentation=dict(size=[2, 2]))), 'of run lengths is'),
    ],
)
def test_parts_that_do_not_fit(coco, changes, message):
    """What is wrong with which image, category or annotation is said in one line."""
    with pytest.raises(DuGIError, match=message) as error:
        check_coco(broken(coco, **changes), 'x')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'mask',
    [
        [[1, 1, 9, 1, 9, 9]],
        [],
        None,
        dict(size=[48, 64], counts='1oo2'),
        dict(size=[48, 64], counts=[1, 3071]),
    ],
)
def test_masks_are_optional(coco, mask):
    """Polygons, run lengths in either form and none are all COCO format."""
    assert check_coco(broken(coco, annotations=dict(segmentation=mask)), 'x')


@pytest.mark.parametrize('content', [[], 'text', {}])
def test_other_json(content):
    """JSON of another kind is not taken for an empty set; HIT-UAV's is known."""
    with pytest.raises(DuGIError, match='x has no list .* give a file in COCO format'):
        check_coco(content, 'x')
    with pytest.raises(DuGIError, match='own JSON .*convert_dataset.py hit-uav'):
        check_coco(dict(images=[], annotation=content), 'x')


def test_empty_split(coco):
    """A split without images is an error, one without boxes is not."""
    assert check_coco(dict(coco, annotations=[]), 'x')
    with pytest.raises(DuGIError, match='x lists no images: write'):
        check_coco(dict(coco, images=[], annotations=[]), 'x')
    with pytest.raises(DuGIError, match='x lists no categories: write'):
        check_coco(dict(coco, categories=[], annotations=[]), 'x')
    with pytest.raises(DuGIError, match=r"images\[0\] of x has no 'id'"):
        check_coco(dict(coco, images=[1, 2]), 'x')


def test_classes_are_chosen_by_name(coco):
    """Numbers follow the names asked for; other boxes go, images stay, nothing is 0."""
    chosen = select_classes(coco, ['person', 'car'], 'x')
    assert chosen['categories'] == [dict(id=1, name='person'), dict(id=2, name='car')]
    assert chosen['images'] == COCO['images']
    assert [
        (item['id'], item['image_id'], item['category_id'], item['area'])
        for item in chosen['annotations']
    ] == [(1, 7, 2, 12), (2, 8, 1, 4)]
    assert all(item['iscrowd'] == 0 for item in chosen['annotations'])
    assert coco == COCO


def test_what_the_file_states_is_kept(coco):
    """Area and iscrowd are only filled in where they are missing, null or 0.

    pycocotools computes with ``iscrowd``, and mmdet drops boxes with an area of 0.
    """
    (item,) = select_classes(coco, ['other vehicle'], 'x')['annotations']
    assert (item['area'], item['iscrowd']) == (9, 1)
    coco['annotations'][1].update(iscrowd=None, area=0)
    (item,) = select_classes(check_coco(coco, 'x'), ['other vehicle'], 'x')[
        'annotations'
    ]
    assert (item['area'], item['iscrowd']) == (56, 0)


def test_two_ids_of_one_name_are_one_class(coco):
    """Merged files number a class twice; its objects stay together."""
    coco['categories'].append(dict(id=4, name='car'))
    coco['annotations'][2]['category_id'] = 4
    chosen = select_classes(check_coco(coco, 'x'), ['car'], 'x')
    assert [item['category_id'] for item in chosen['annotations']] == [1, 1]


def test_an_unknown_class_lists_those_of_the_file(coco):
    """A wrong name is answered with the right ones, the nearest first."""
    with pytest.raises(
        DuGIError,
        match="'Person' is not in x.*'person'.*'car'.*correct metainfo.classes",
    ):
        select_classes(coco, ['Person'], 'x')
