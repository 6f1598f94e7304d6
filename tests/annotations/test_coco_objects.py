"""Objects of COCO files are cleaned and counted by the rule of the converters."""

from __future__ import annotations

import pytest
from toys import write_image

from dugi_mae.annotations.coco_objects import prepare_objects
from dugi_mae.converters.builder import CocoBuilder, Item

CUT = 'boxes cut to the image or corners put in order'
LEFT_OUT = 'boxes of less than a pixel in the image left out'
SIZE = 'images of another size than the annotations state'
POLYGONS = 'polygons of fewer than three points left out'


def content(**annotation) -> dict:
    """A file of one image of 64x48 pixels with one object."""
    item = dict(id=4, image_id=1, category_id=3, bbox=[4, 6, 10, 20]) | annotation
    return dict(
        images=[dict(id=1, file_name='a.png', width=64, height=48)],
        annotations=[item],
        categories=[dict(id=3, name='car')],
    )


#: Box in the file, in a 64x48 image: what is left of it, worked out by hand.
BOXES = {
    'inside': ([4, 6, 10, 20], [4, 6, 10, 20], {}),
    'of a pixel': ([10.1, 5.3, 1, 1], [10.1, 5.3, 1, 1], {}),
    'over the right and lower border': ([60, 40, 9, 20], [60, 40, 4, 8], {CUT: 1}),
    'over the upper left corner': ([-5, -3, 10, 7], [0, 0, 5, 4], {CUT: 1}),
    'larger than the image': ([-9, -9, 200, 200], [0, 0, 64, 48], {CUT: 1}),
    'of negative width': ([20, 6, -10, 20], [10, 6, 10, 20], {CUT: 1}),
    'of negative sides': ([20, 26, -10, -20], [10, 6, 10, 20], {CUT: 1}),
    'of no width': ([4, 6, 0, 20], None, {LEFT_OUT: 1}),
    'of no height': ([4, 6, 10, 0], None, {LEFT_OUT: 1}),
    'narrower than a pixel': ([4, 6, 0.9, 20], None, {LEFT_OUT: 1}),
    'outside': ([64, 6, 10, 20], None, {LEFT_OUT: 1}),
    'all but outside': ([63.5, 6, 10, 20], None, {LEFT_OUT: 1}),
}


@pytest.mark.parametrize(('box', 'expected', 'notes'), BOXES.values(), ids=BOXES)
def test_one_rule_for_boxes(tmp_path, box, expected, notes):
    """A COCO file and a converter keep, change and count the same boxes."""
    prepared, found = prepare_objects(content(bbox=box), ['car'], 'x', {})
    boxes = [item['bbox'] for item in prepared['annotations']]
    assert boxes == ([expected] if expected else [])
    assert found == notes
    x, y, width, height = box
    builder = CocoBuilder('train', ['car'], tmp_path)
    item = Item('car', (x, y, x + width, y + height))
    builder.add(write_image(tmp_path / 'a.png'), None, [item])
    converted = [pytest.approx(item['bbox']) for item in builder.annotations]
    assert boxes == converted
    assert builder.notes == notes


@pytest.mark.parametrize(
    ('box', 'area', 'expected'),
    [
        ([4, 6, 10, 20], 0, 200),
        ([4, 6, 10, 20], -3, 200),
        ([4, 6, 10, 20], None, 200),
        ([4, 6, 10, 20], 120, 120),  # of a mask
        ([60, 40, 9, 20], 180, 32),
        ([60, 40, 9, 20], 20, 20),
    ],
)
def test_areas(box, area, expected):
    """No area makes mmdet drop an object; that of a cut box is not the old one."""
    prepared, _ = prepare_objects(content(bbox=box, area=area), ['car'], 'x', {})
    assert [item['area'] for item in prepared['annotations']] == [expected]


@pytest.mark.parametrize(('size', 'expected'), [((100, 48), 30), ((48, 64), 0)])
def test_sizes_are_those_of_the_images(size, expected):
    """Beyond a stated border there may be image, and beyond that of the image none."""
    prepared, notes = prepare_objects(
        content(bbox=[60, 10, 30, 20]), ['car'], 'x', {1: size}
    )
    widths = [item['bbox'][2] for item in prepared['annotations']]
    assert widths == ([expected] if expected else [])
    assert notes[SIZE] == 1
    assert (prepared['images'][0]['width'], prepared['images'][0]['height']) == size


def test_ignored_objects_are_crowds():
    """Mmdet drops ``ignore`` in training and pycocotools scores it all the same."""
    prepared, _ = prepare_objects(content(ignore=1), ['car'], 'x', {})
    (item,) = prepared['annotations']
    assert item['iscrowd'] == 1 and 'ignore' not in item


@pytest.mark.parametrize('masks', [False, True])
@pytest.mark.parametrize('polygon', [[], [5, 5], [5, 5, 9, 9]])
def test_degenerate_polygons(polygon, masks):
    """Points and lines go; an object with nothing else where masks are used, too."""
    triangle = [4, 6, 14, 6, 14, 26]
    file = content(segmentation=[polygon, triangle])
    prepared, notes = prepare_objects(file, ['car'], 'x', {}, masks)
    assert prepared['annotations'][0]['segmentation'] == [triangle]
    assert notes == {POLYGONS: 1}
    prepared, notes = prepare_objects(
        content(segmentation=[polygon]), ['car'], 'x', {}, masks
    )
    assert len(prepared['annotations']) == (not masks)
    assert notes[POLYGONS] == 1
    assert notes['objects without any other polygon left out'] == masks
