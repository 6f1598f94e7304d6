"""The objects of a COCO file as training and scoring both see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dugi_mae.annotations.boxes import CUT, clean_box
from dugi_mae.annotations.coco import select_classes
from dugi_mae.annotations.coco_masks import check_masks, split_polygons

OTHER_SIZE = 'images of another size than the annotations state'


def prepare_objects(
    content: dict,
    classes: Sequence[str],
    path: str | Path,
    sizes: Mapping[int | str, tuple[int, int]],
    masks: bool = False,
) -> tuple[dict, Counter[str]]:
    """Choose classes and clean their boxes, so that hosts drop none in silence.

    Sizes are the images' own. Boxes go through
    :func:`~dugi_mae.annotations.boxes.clean_box`. An area that is not positive is the
    box's. Objects with ``ignore`` become crowds, which are neither trained on nor
    counted as missed. Polygons of one or two points go, and with ``masks`` objects that
    have no other.

    Args:
        content: What :func:`~dugi_mae.annotations.coco.check_coco` gave.
        classes: Names as they stand in the file.
        path: Its name, for messages.
        sizes: Width and height of images by their id; those of the file for the others.
        masks: Whether masks are used.

    Returns:
        A new COCO structure, and what was changed or left out, counted.

    Raises:
        DuGIError: If a class is not in the file, or a mask that is used is missing or
            damaged.
    """
    notes: Counter[str] = Counter()
    images = []
    for image in content['images']:
        stated = image['width'], image['height']
        size = sizes.get(image['id'], stated)
        notes[OTHER_SIZE] += size != stated
        images.append(image | dict(width=size[0], height=size[1]))
    content = dict(content, images=images)
    if masks:
        check_masks(content, path)
    content = select_classes(content, classes, path)
    known = {image['id']: (image['width'], image['height']) for image in images}
    annotations = []
    for annotation in content['annotations']:
        x, y, width, height = annotation['bbox']
        was_cut = notes[CUT]
        corners = x, y, x + width, y + height
        box = clean_box(corners, known[annotation['image_id']], notes)
        if box is None:
            continue
        if notes[CUT] == was_cut:  # x + width - x need not be width
            box = annotation['bbox']
        area = box[2] * box[3]
        if annotation['area'] > 0:
            stated = annotation['area']
            area = min(stated, area) if notes[CUT] > was_cut else stated
        cleaned = annotation | dict(bbox=box, area=area)
        if cleaned.pop('ignore', None):
            cleaned['iscrowd'] = 1
            notes['objects to ignore taken for crowds'] += 1
        if isinstance(mask := annotation.get('segmentation'), list) and mask:
            cleaned['segmentation'], degenerate = split_polygons(mask)
            notes['polygons of fewer than three points left out'] += len(degenerate)
            if masks and not cleaned['segmentation']:
                notes['objects without any other polygon left out'] += 1
                continue
        annotations.append(cleaned)
    return dict(content, annotations=annotations), +notes


def in_words(notes: Mapping[str, int]) -> str:
    """What was changed or left out, in one line."""
    return ', '.join(f'{note}: {count}' for note, count in notes.items())
