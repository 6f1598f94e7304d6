"""VOC files with the oddities of released infrared sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from released_sets import voc
from toys import noise, write_image

from dugi_mae.converters.builder import CocoBuilder
from dugi_mae.converters.voc import add_voc, read_voc
from dugi_mae.errors import DuGIError

BOX = '<bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>11</xmax><ymax>22</ymax></bndbox>'
POLYGON = ''.join(
    f'<x{i}>{x}</x{i}><y{i}>{y}</y{i}>'
    for i, (x, y) in enumerate(((20, 10), (50, 20), (40, 50), (10, 40)), 1)
)


def one(inner: str) -> str:
    """A file with one object."""
    return f'<annotation><object><name> Car </name>{inner}</object></annotation>'


@pytest.mark.parametrize(
    ('inner', 'box'),
    [
        (BOX, (1, 2.5, 11, 22)),
        (f'<polygon>{POLYGON}</polygon>', (10, 10, 50, 50)),
        ('<point><x>3</x></point>', None),
        ('', None),
    ],
)
def test_geometry(tmp_path, inner, box):
    """Boxes are kept, polygons become their hull, objects without either have none."""
    path = tmp_path / 'a.xml'
    path.write_text(one(inner))
    annotation = read_voc(path)
    assert annotation.size is None
    assert annotation.objects == (('Car', box),)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'a.xml does not exist: copy the complete'),
        ('', 'a.xml is damaged XML .*: copy it again'),
        ('<annotation><object>', 'a.xml is damaged XML'),
        ('<?xml version="1.0" encoding="big5"?><a/>', 'a.xml is damaged XML'),
        (
            one(BOX.replace('11', 'x')),
            "a.xml has 'x' as xmax of a bndbox: a number of pixels is",
        ),
        (one(BOX.replace('<ymin>2.5</ymin>', '')), 'a.xml has None as ymin of a bndb'),
    ],
)
def test_damaged_files(tmp_path, text, message):
    """A damaged file is named in one line."""
    path = tmp_path / 'a.xml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(DuGIError, match=message) as error:
        read_voc(path)
    assert '\n' not in str(error.value)


def test_the_image_has_the_last_word(tmp_path):
    """Size comes from the image; depth and file name of the XML are not looked at."""
    write_image(tmp_path / 'ir' / 'a.png', noise(60, 80))
    path = tmp_path / 'a.xml'
    path.write_text(voc('Car 70 50 90 55', 'Car', 'dog 1 1 2 2', depth=99))
    builder = CocoBuilder('train', ['Car'], tmp_path)
    images = dict(a=tmp_path / 'ir' / 'a.png', b=tmp_path / 'b.png')
    assert add_voc(builder, 'ab', images, dict(a=path)) is builder
    assert builder.images == [dict(id=1, file_name='ir/a.png', width=80, height=60)]
    assert [item['bbox'] for item in builder.annotations] == [[70, 50, 10, 5]]
    assert list(builder.summary()) == [
        'train: 1 images (0 without boxes), 1 boxes: Car 1',
        'train: other objects left out: dog 1',
        'train: images without an annotation file left out: 1',
        'train: images of another size than the annotations state: 1',
        'train: boxes cut to the image: 1',
        'train: objects without a box left out: 1',
    ]


@pytest.mark.parametrize(
    ('width', 'size'),
    [
        ('64', (64, 48)),
        ('64.0', (64, 48)),
        *((text, None) for text in ('', ' ', 'x', 'nan', 'inf', None)),
    ],
)
def test_stated_sizes(tmp_path, width, size):
    """A size that is nonsense is none: the image's own counts anyway."""
    path = tmp_path / 'a.xml'
    tag = '' if width is None else f'<width>{width}</width>'
    path.write_text(f'<annotation><size>{tag}<height>48</height></size></annotation>')
    assert read_voc(path).size == size


def test_corners_in_another_order():
    """Any two opposite corners make a box; reversed ones are counted."""
    builder = CocoBuilder('train', ['Car'], Path())
    builder.add_image('a.png', 64, 48)
    for box in ((1, 2, 11, 22), (11, 2, 1, 22), (1, 22, 11, 2), (11, 22, 1, 2)):
        builder.add_object('Car', box)
    boxes = [item['bbox'] for item in builder.annotations]
    assert boxes == [[1, 2, 10, 20]] * 4
    assert builder.notes == {'boxes with reversed corners put in order': 3}


def test_damaged_image(tmp_path):
    """An image that is none is named."""
    (tmp_path / 'a.png').write_bytes(b'\x89PNG')
    (tmp_path / 'a.xml').write_text(voc())
    builder = CocoBuilder('train', ['Car'], tmp_path)
    paths = [{'a': tmp_path / f'a.{suffix}'} for suffix in ('png', 'xml')]
    with pytest.raises(DuGIError, match='a.png is damaged: copy it again'):
        add_voc(builder, 'a', *paths)
