"""FLIR ADAS: the aligned release (VOC), version 1 and version 2 (COCO), to COCO.

Layouts:

- aligned (Zhang et al., ICIP 2020): ``align/{JPEGImages,Annotations}/`` with
  ``align_train.txt`` and ``align_validation.txt`` in it or beside it; infrared images
  end in ``_PreviewData.jpeg``.
- version 1: ``{train,val,video}/thermal_annotations.json`` over ``thermal_8_bit/``;
  some copies have one more level ``images/``.
- version 2: ``{images_thermal_train,images_thermal_val,video_thermal_test}/coco.json``
  over ``data/``.

The COCO files list about 80 categories with gaps in their numbers, of which few are
used: classes are chosen by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.coco import check_coco, read_json, select_classes
from dugi_mae.converters.folders import (
    check_out,
    find_folder,
    images_by_stem,
)
from dugi_mae.converters.splits import read_names
from dugi_mae.converters.voc import add_voc_image, check_images
from dugi_mae.errors import DuGIError

#: The aligned release and version 1; papers drop the few dogs.
CLASSES = ('person', 'bicycle', 'car')
CLASSES_V2 = (
    *('person', 'bike', 'car', 'motor', 'bus', 'train', 'truck', 'light', 'hydrant'),
    *('sign', 'dog', 'skateboard', 'stroller', 'scooter', 'other vehicle'),
)
ALIGNED = dict(train=('align_train', 'train'), val=('align_validation', 'val'))
V1 = dict(train='train', val='val', test='video')
V2 = dict(
    train='images_thermal_train', val='images_thermal_val', test='video_thermal_test'
)


def convert(source: Path, out: Path) -> list[str]:
    """Write a COCO file for each split; which release it is shows by its files.

    Args:
        source: Folder of the release or the one around it.
        out: Folder to write to: ``annotations/SPLIT.json`` and the link ``images``.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If no release is recognised, or something is missing or damaged.
    """
    check_out(source, out, 'annotations', 'splits')
    roots = [source, *sorted(path for path in source.iterdir() if path.is_dir())]
    for root in roots:
        for kind, folders, name, classes in (
            ('version 1', V1, 'thermal_annotations.json', CLASSES),
            ('version 2', V2, 'coco.json', CLASSES_V2),
        ):
            files = {split: root / folder / name for split, folder in folders.items()}
            files = {split: path for split, path in files.items() if path.is_file()}
            if files:
                builders = [
                    build_coco(source, path, split, classes)
                    for split, path in files.items()
                ]
                return [f'FLIR ADAS, {kind}', *write_annotations(builders, out, source)]
        if (root / 'JPEGImages').is_dir():
            builders = build_aligned(source, root)
            return ['FLIR ADAS, aligned', *write_annotations(builders, out, source)]
    raise DuGIError(
        f'folder {source} is no release of FLIR ADAS: expected JPEGImages/ (aligned), '
        'train/thermal_annotations.json (version 1) or images_thermal_train/coco.json '
        '(version 2); correct SRC'
    )


def build_aligned(source: Path, root: Path) -> Iterator[CocoBuilder]:
    """Collect both splits of the aligned release.

    Args:
        source: Folder that file names are relative to.
        root: The folder that holds ``JPEGImages``.

    Yields:
        ``'train'`` and ``'val'``.

    Raises:
        DuGIError: If a list, an image or an annotation file is missing.
    """
    folder = root / 'JPEGImages'
    images, xml = images_by_stem(folder), find_folder(root, 'Annotations')
    for split, names in ALIGNED.items():
        places = [
            place / f'{name}.txt'
            for name in names
            for place in (root, root.parent, root / 'ImageSets' / 'Main')
        ]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise DuGIError(
                f'folder {root} has no list {names[0]}.txt in it or beside it: copy '
                'it from the release'
            )
        listed = [
            name if name.endswith('_PreviewData') else f'{name}_PreviewData'
            for name in read_names(path)
        ]
        annotations = {name: xml / f'{name}.xml' for name in listed}
        check_images(annotations, images, folder)
        builder = CocoBuilder(split, CLASSES)
        for name in listed:
            add_voc_image(builder, images[name], annotations[name], source)
        yield builder


def build_coco(
    source: Path, path: Path, split: str, classes: tuple[str, ...]
) -> CocoBuilder:
    """Collect a split of version 1 or 2.

    Args:
        source: Folder that file names are relative to.
        path: The released annotation file.
        split: Name of the split.
        classes: Names of the classes to keep.

    Raises:
        DuGIError: If the file is damaged, lacks a class, or images are missing or
            outside of ``source``.
    """
    content = check_coco(read_json(path), path)
    remedy = 'give the annotation files as they are released'
    select_classes(content, classes, path, remedy)  # are they all there?
    for image in content['images']:
        name = PurePosixPath(image['file_name'])
        if name.is_absolute() or '..' in name.parts:
            raise DuGIError(
                f'image {name} of {path} may lie outside of SRC: write its path '
                'relative to the folder of images'
            )
    names = {item['id']: item['name'] for item in content['categories']}
    objects = {image['id']: [] for image in content['images']}
    for annotation in content['annotations']:
        objects[annotation['image_id']].append(annotation)
    folder = image_folder(path, content['images'][0]['file_name'])
    builder = CocoBuilder(split, classes)
    for image in content['images']:
        file = folder / image['file_name']
        if not file.is_file():
            raise DuGIError(
                f'image {image["file_name"]} of {path} is not in {folder}: copy the '
                'set whole'
            )
        builder.add_file(file, source, (image['width'], image['height']))
        for annotation in objects[image['id']]:
            x, y, width, height = annotation['bbox']
            builder.add_object(
                names[annotation['category_id']],
                (x, y, x + width, y + height),
                annotation.get('iscrowd') or 0,  # null means no, too
            )
    return builder


def image_folder(path: Path, file_name: str) -> Path:
    """The folder that the file names of an annotation file are relative to.

    Args:
        path: The annotation file.
        file_name: Of one of its images.

    Raises:
        DuGIError: If the image is at none of the known places.
    """
    levels = ('', 'images', 'thermal_8_bit', 'data', 'images/thermal_8_bit')
    for level in levels:
        if (path.parent / level / file_name).is_file():
            return path.parent / level
    raise DuGIError(
        f'image {file_name} of {path} is not in {path.parent}, nor in '
        f'{", ".join(levels[1:])} below it: copy the set whole'
    )
