"""Sets that are released with JSON files: HIT-UAV, FLIR ADAS version 1 and 2.

The files of FLIR list about 80 categories with gaps in their numbers, of which few are
used: classes are chosen by name.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dugi_mae.annotations.classes import FLIR, FLIR_V2, HIT_UAV
from dugi_mae.annotations.coco import check_coco, read_json
from dugi_mae.converters.builder import CocoBuilder, Item, write_annotations
from dugi_mae.errors import DuGIError


class CocoRelease(NamedTuple):
    """Where a release keeps what.

    Attributes:
        classes: Names of the classes that are wanted.
        folders: Folder of each split; a copy may lack some.
        file: Annotation file of such a folder.
        levels: Folders below that images' names may be relative to.
    """

    classes: tuple[str, ...]
    folders: dict[str, str]
    file: str
    levels: tuple[str, ...] = ('',)


#: The annotations stand under ``annotation`` and images have a ``filename``. Boxes are
#: x, y, width, height from the upper left corner, whatever the README says.
HIT_UAV_RELEASE = CocoRelease(
    HIT_UAV, dict(train='train', val='val', test='test'), 'annotations/{}.json'
)
FLIR_RELEASES = {
    'version 1': CocoRelease(
        FLIR,
        dict(train='train', val='val', test='video'),
        '{}/thermal_annotations.json',
        ('', 'images', 'thermal_8_bit', 'images/thermal_8_bit'),  # copies differ
    ),
    'version 2': CocoRelease(
        FLIR_V2,
        dict(
            train='images_thermal_train',
            val='images_thermal_val',
            test='video_thermal_test',
        ),
        '{}/coco.json',
        ('', 'data'),
    ),
}


def hit_uav(root: Path, out: Path) -> list[str]:
    """Convert HIT-UAV; ``root`` is ``normal_json``."""
    builders = read_release(root, HIT_UAV_RELEASE)
    if not builders:
        raise DuGIError(
            f'folder {root} has none of annotations/{{train,val,test}}.json: give '
            'normal_json of HIT-UAV or the folder around it as SRC'
        )
    return write_annotations(builders, out, root)


def read_release(root: Path, release: CocoRelease) -> list[CocoBuilder]:
    """Read those splits of a release that a folder has."""
    builders = []
    for split, folder in release.folders.items():
        path = root / release.file.format(folder)
        if path.is_file():
            builder = CocoBuilder(split, release.classes, root)
            places = [root / folder / level for level in release.levels]
            add_coco(builder, path, places)
            builders.append(builder)
    return builders


def add_coco(builder: CocoBuilder, path: Path, places: list[Path]) -> None:
    """Add an annotation file, whose images may be in several places."""
    content = check_coco(as_coco(read_json(path)), path)
    names = {item['id']: item['name'] for item in content['categories']}
    missing = [name for name in builder.classes if name not in names.values()]
    if missing:
        raise DuGIError(
            f'{path} has no category {", ".join(missing)}: give the annotation '
            'files as they are released'
        )
    items: dict = {image['id']: [] for image in content['images']}
    for annotation in content['annotations']:
        x, y, width, height = annotation['bbox']
        item = Item(
            names[annotation['category_id']],
            (x, y, x + width, y + height),
            int(bool(annotation.get('iscrowd') or annotation.get('ignore'))),
        )
        items[annotation['image_id']].append(item)
    for image in content['images']:
        name = PurePosixPath(image['file_name'])
        inside = not name.is_absolute() and '..' not in name.parts
        files = [place / name for place in places if inside]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            builder.bad_files.append(
                f'image {name} of {path} is not in {" or ".join(map(str, places))}: '
                'copy the complete set'
            )
            continue
        builder.add(file, (image['width'], image['height']), items[image['id']])


def as_coco(content: object) -> object:
    """Give HIT-UAV's own keys the names that COCO has for them."""
    if isinstance(content, dict) and 'annotation' in content:
        content['annotations'] = content.pop('annotation')
        images = content.get('images')
        for image in images if isinstance(images, list) else ():
            if isinstance(image, dict) and 'filename' in image:
                image['file_name'] = image['filename']
    return content
