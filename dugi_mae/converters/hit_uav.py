"""HIT-UAV: its own JSON to COCO.

Layout: ``normal_json/{train,val,test}/*.jpg`` and
``normal_json/annotations/{train,val,test}.json``, whose annotations stand under
``annotation`` and whose images have a ``filename``. Boxes are x, y, width, height from
the upper left corner, whatever the data set's README says.
"""

from __future__ import annotations

from pathlib import Path

from dugi_mae.annotations.classes import HIT_UAV
from dugi_mae.annotations.coco import check_coco, read_json
from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.files import find_folder, open_release
from dugi_mae.converters.splits import SPLITS
from dugi_mae.errors import DuGIError


def read_raw(path: Path) -> dict:
    """Read one of the released JSON files as if it were COCO."""
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
    annotations, categories = content['annotation'], content.get('categories')
    return check_coco(
        dict(images=images, annotations=annotations, categories=categories), path
    )


def convert(source: Path, out: Path) -> list[str]:
    """Write COCO files; ``source`` is the release or its ``normal_json``."""
    root = open_release(source, out, ('annotations', 'splits'), 'normal_json')
    folder = find_folder(root, 'annotations')
    paths = {split: folder / f'{split}.json' for split in SPLITS}
    builders = [
        CocoBuilder(split, HIT_UAV, source).add_coco(read_raw(path), path, root / split)
        for split, path in paths.items()
        if path.is_file()
    ]
    if not builders:
        raise DuGIError(
            f'folder {folder} has none of train.json, val.json and test.json: copy '
            'the complete set'
        )
    return write_annotations(builders, out, source)
