"""VOC files with the oddities of released infrared sets."""

from __future__ import annotations

import pytest
from released_sets import voc
from toys import noise, write_image

from dugi_mae.converters.builder import CocoBuilder, Item
from dugi_mae.converters.voc import read_voc
from dugi_mae.converters.voc_sets import add_voc
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
    ],
)
def test_geometry(tmp_path, inner, box):
    """Boxes are kept, polygons become their hull, objects without either have none."""
    path = tmp_path / 'a.xml'
    path.write_text(one(inner))
    assert read_voc(path) == (None, [Item('Car', box)])


@pytest.mark.parametrize('declared', ['', 'utf-8', 'GBK', 'gb2312', 'nonsense'])
def test_text_in_gbk(tmp_path, declared):
    """Tools on Chinese systems write GBK whatever the first line says."""
    path = tmp_path / 'a.xml'
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ''
    folder = '<annotation><folder>红外图像</folder>'
    text = one(BOX).replace('<annotation>', folder).replace(' Car ', '车')
    path.write_bytes((head + text).encode('gbk'))
    assert read_voc(path) == (None, [Item('车', (1, 2.5, 11, 22))])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'a.xml is damaged XML .*: copy it again'),
        ('<?xml version="1.0" encoding="big5"?><a>', 'a.xml is damaged XML'),
        (one(BOX.replace('11', 'x')), "a.xml has 'x' as xmax: a number of pixels is"),
        (one(BOX.replace('<ymin>2.5</ymin>', '')), 'a.xml has None as ymin'),
    ],
)
def test_damaged_files(tmp_path, text, message):
    """A damaged file is named in one line."""
    path = tmp_path / 'a.xml'
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
    add_voc(builder, 'ab', dict(a=tmp_path / 'ir' / 'a.png'), dict(a=path))
    content = builder.content()
    assert content['images'] == [dict(id=1, file_name='ir/a.png', width=80, height=60)]
    assert [item['bbox'] for item in content['annotations']] == [[70, 50, 10, 5]]
    assert list(builder.summary()) == [
        'train: 1 images (0 without boxes), 1 boxes: Car 1',
        'train: images of another size than the annotations state: 1',
        'train: boxes cut to the image or corners put in order: 1',
        'train: objects without a box left out: 1',
        "train: objects called 'dog' left out: 1",
        'train: images without an annotation file left out: 1',
    ]


@pytest.mark.parametrize(
    ('width', 'size'),
    [('64.0', (64, 48)), ('', None), ('x', None), ('nan', None), ('inf', None)],
)
def test_stated_sizes(tmp_path, width, size):
    """A size that is nonsense is none: the image's own counts anyway."""
    path = tmp_path / 'a.xml'
    path.write_text(voc(size=(width, 48)))
    assert read_voc(path)[0] == size


def test_corners_in_another_order(tmp_path):
    """Any two opposite corners make a box; reversed ones are counted."""
    builder = CocoBuilder('train', ['Car'], tmp_path)
    corners = ((1, 2, 11, 22), (11, 2, 1, 22), (1, 22, 11, 2), (11, 22, 1, 2))
    items = [Item('Car', box) for box in corners]
    builder.add(write_image(tmp_path / 'a.png'), None, items)
    boxes = [item['bbox'] for item in builder.content()['annotations']]
    assert boxes == [[1, 2, 10, 20]] * 4
    assert list(builder.notes.values()) == [3]
