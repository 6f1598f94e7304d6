"""HIT-UAV: its own JSON to COCO.

Layout: ``normal_json/{train,val,test}/*.jpg`` and
``normal_json/annotations/{train,val,test}.json``, whose annotations stand under
``annotation`` and whose images have a ``filename``. Boxes are x, y, width, height from
the upper left corner, whatever the data set's README says.
"""

from __future__ import annotations

from pathlib import Path

from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.coco import check_coco, read_json
from dugi_mae.converters.folders import (
    check_out,
    images_by_stem,
    step_into,
)
from dugi_mae.converters.splits import SPLITS
from dugi_mae.errors import DuGIError

#: ``DontCare`` is left out. pycocotools lets a crowd box excuse detections of its own
#: class only, so as a class of its own it would do nothing in an evaluation that has
#: four classes, and mmdet's assigners leave ignored boxes alone unless told otherwise.
CLASSES = ('Person', 'Car', 'Bicycle', 'OtherVehicle')


def read_raw(path: Path) -> dict:
    """Read one of the released JSON files as if it were COCO.

    Raises:
        DuGIError: If the file is not what HIT-UAV has in ``normal_json``.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not {'annotation', 'images'} <= set(content):
        raise DuGIError(
            f'{path} is not from normal_json of HIT-UAV (no keys annotation, images): '
            'give the folder that holds normal_json as SRC'
        )
    images = content['images']
    for image in images if isinstance(images, list) else ():
        if isinstance(image, dict) and 'filename' in image:
            image['file_name'] = image['filename']
    return check_coco(
        dict(
            images=images,
            annotations=content['annotation'],
            categories=content.get('categories'),
        ),
        path,
    )


def build(source: Path, root: Path, split: str) -> CocoBuilder:
    """Collect one split.

    Args:
        source: Folder that file names are relative to.
        root: The folder ``normal_json``.
        split: ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        DuGIError: If the file is damaged or an image is missing.
    """
    path = root / 'annotations' / f'{split}.json'
    content = read_raw(path)
    names = {item['id']: item['name'] for item in content['categories']}
    missing = set(CLASSES) - set(names.values())
    if missing:
        raise DuGIError(
            f'{path} has no category {", ".join(sorted(missing))}: give the JSON '
            'files as they are released'
        )
    objects = {image['id']: [] for image in content['images']}
    for annotation in content['annotations']:
        objects[annotation['image_id']].append(annotation)
    present = {image.name for image in images_by_stem(root / split).values()}
    builder = CocoBuilder(split, CLASSES)
    for image in content['images']:
        name = image['file_name']
        if name not in present:
            raise DuGIError(
                f'image {name} of {path} is not in {root / split}: copy the set whole'
            )
        stated = image['width'], image['height']
        builder.add_file(root / split / name, source, stated)
        for annotation in objects[image['id']]:
            x, y, width, height = annotation['bbox']
            builder.add_object(
                names[annotation['category_id']], (x, y, x + width, y + height)
            )
    return builder


def convert(source: Path, out: Path) -> list[str]:
    """Write COCO files for every split that is there.

    Args:
        source: The folder that holds ``normal_json``, or that folder.
        out: Folder to write to: ``annotations/SPLIT.json`` and the link ``images``.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something is missing or damaged.
    """
    check_out(source, out, 'annotations', 'splits')
    root = step_into(source, 'normal_json')
    if not (root / 'annotations').is_dir():
        raise DuGIError(
            f'folder {source} holds neither normal_json nor annotations: correct SRC'
        )
    splits = [s for s in SPLITS if (root / 'annotations' / f'{s}.json').is_file()]
    if not splits:
        raise DuGIError(
            f'folder {root / "annotations"} has none of train.json, val.json and '
            'test.json: copy the set whole'
        )
    builders = [build(source, root, split) for split in splits]
    return write_annotations(builders, out, source)
