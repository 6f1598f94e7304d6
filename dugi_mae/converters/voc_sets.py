"""Sets that are released with VOC files: M3FD, LLVIP, FLIR ADAS aligned, DroneVehicle.

:func:`flir` reads the other releases of FLIR ADAS, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from numpy import ndarray
from tqdm import tqdm

from dugi_mae.annotations.classes import DRONEVEHICLE, FLIR, LLVIP, M3FD
from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.coco_sets import FLIR_RELEASES, read_release
from dugi_mae.converters.files import (
    check_disjoint,
    find_folder,
    subfolders,
    write_png,
)
from dugi_mae.converters.splits import (
    SPLITS,
    draw_split,
    find_names,
    read_list,
    read_splits,
    write_splits,
)
from dugi_mae.converters.voc import read_voc
from dugi_mae.errors import DuGIError
from dugi_mae.files import files_by_name
from dugi_mae.images import load_infrared

#: End of the names of infrared images in FLIR aligned.
FLIR_END = '_PreviewData'
FLIR_LISTS = dict(train=('align_train', 'train'), val=('align_validation', 'val'))
#: Spellings that occur in DroneVehicle; ``*`` and no name at all mean nothing known.
ALIASES = {
    'feright_car': 'freight car',
    'feright car': 'freight car',
    'feright': 'freight car',
    'freight_car': 'freight car',
    'truvk': 'truck',
}
#: DroneVehicle's images have a white border, and boxes count from its corner.
BORDER = 100
RELEASED_SIZE = (840, 712)


def xml_files(
    folder: Path, images: Mapping[str, Path], place: Path
) -> tuple[dict[str, Path], list[str]]:
    """The XML files of a folder by name.

    Returns:
        Those whose image is among the images of a place, and what is wrong with the
        others.
    """
    found = files_by_name(folder, extensions=('.xml',))
    bad = [
        f'{path} has no image {name} in {place}: copy it there or remove the file'
        for name, path in found.items()
        if name not in images
    ]
    return {name: path for name, path in found.items() if name in images}, bad


def add_voc(
    builder: CocoBuilder,
    names: Iterable[str],
    images: Mapping[str, Path],
    annotations: Mapping[str, Path],
) -> CocoBuilder:
    """Add images with the objects of their annotation files to a split.

    Images without an annotation file are counted, damaged files left out.
    """
    for name in names:
        if name not in annotations:
            builder.notes['images without an annotation file left out'] += 1
            continue
        try:
            size, items = read_voc(annotations[name])
        except DuGIError as error:
            builder.bad_files.append(str(error))
            continue
        builder.add(images[name], size, items)
    return builder


def m3fd(root: Path, out: Path, splits: Path | None = None) -> list[str]:
    """Convert M3FD, ``{Ir,Vis,Annotation}/``, and write the split lists.

    There is no official split, and papers seldom publish theirs: ``splits`` is a folder
    with ``train.txt`` and ``val.txt`` to use instead of drawing one.
    """
    folder = find_folder(root, 'Ir', 'infrared')
    images = files_by_name(folder)
    labels = find_folder(root, 'Annotation', 'Annotations')
    annotations, bad = xml_files(labels, images, folder)
    if splits is None:
        origin, lists = dict(seed=0, val_fraction=0.2), draw_split(annotations)
    else:
        origin = dict(lists_from=str(splits))
        lists = read_splits(splits, {name: images[name] for name in annotations})
    builders = [
        add_voc(CocoBuilder(split, M3FD, root), names, images, annotations)
        for split, names in lists.items()
    ]
    builders[0].bad_files += bad
    lines = write_annotations(builders, out, root)
    return lines + write_splits(lists, out, data_set='M3FD', **origin)


def llvip(root: Path, out: Path) -> list[str]:
    """Convert LLVIP: ``infrared/{train,test}/*.jpg``, the official split."""
    folder = find_folder(root, 'infrared')
    images = {s: files_by_name(find_folder(folder, s)) for s in ('train', 'test')}
    check_disjoint(images, folder)
    labels = find_folder(root, 'Annotations', 'Annotation')
    annotations, bad = xml_files(labels, images['train'] | images['test'], folder)
    builders = [
        add_voc(CocoBuilder(split, LLVIP, root), files, files, annotations)
        for split, files in images.items()
    ]
    builders[0].bad_files += bad
    return write_annotations(builders, out, root)


def flir(source: Path, out: Path) -> list[str]:
    """Convert FLIR ADAS; which release it is shows by its files."""
    for root in (source, *sorted(subfolders(source).values())):
        for kind, release in FLIR_RELEASES.items():
            if builders := read_release(root, release):
                return [f'FLIR ADAS, {kind}', *write_annotations(builders, out, root)]
        if (root / 'JPEGImages').is_dir():
            builders = [flir_aligned(root, split) for split in FLIR_LISTS]
            return ['FLIR ADAS, aligned', *write_annotations(builders, out, root)]
    raise DuGIError(
        f'folder {source} is no release of FLIR ADAS: expected JPEGImages/ (aligned), '
        'train/thermal_annotations.json (version 1) or images_thermal_train/coco.json '
        '(version 2); correct SRC'
    )


def flir_aligned(root: Path, split: str) -> CocoBuilder:
    """Collect a split of the aligned release (Zhang et al., ICIP 2020).

    ``{JPEGImages,Annotations}/`` with the lists in it or beside it.
    """
    places = (root, root.parent, root / 'ImageSets' / 'Main')
    paths = [p / f'{name}.txt' for name in FLIR_LISTS[split] for p in places]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DuGIError(
            f'folder {root} has no list {paths[0].name} in it or beside it: copy it '
            'from the release'
        )
    images = files_by_name(root / 'JPEGImages')
    lines = (n if n.endswith(FLIR_END) else n + FLIR_END for n in read_list(path))
    names = find_names(lines, images, path)
    annotations, bad = xml_files(find_folder(root, 'Annotations'), images, root)
    builder = add_voc(CocoBuilder(split, FLIR, root), names, images, annotations)
    builder.bad_files += bad
    return builder


def dronevehicle(root: Path, out: Path) -> list[str]:
    """Convert ``{train,val,test}/{train,val,test}{imgr,labelr}/``; r is infrared.

    The images are written without their border, to ``OUT/images/SPLIT``.
    """
    here = subfolders(root)
    builders = [
        dronevehicle_split(here[split], split, out) for split in SPLITS if split in here
    ]
    if not builders:
        raise DuGIError(f'folder {root} has none of train, val and test: correct SRC')
    return write_annotations(builders, out)


def dronevehicle_split(folder: Path, split: str, out: Path) -> CocoBuilder:
    """Collect the split in a folder and write its images."""
    place = find_folder(folder, f'{split}imgr')
    images = files_by_name(place)
    labels = find_folder(folder, f'{split}labelr')
    annotations, bad = xml_files(labels, images, place)
    builder = CocoBuilder(split, DRONEVEHICLE, out / 'images')
    builder.bad_files += bad
    for name in tqdm(annotations, desc=split, unit='image', leave=False):
        try:
            _, objects = read_voc(annotations[name])
            image = load_infrared(images[name], channels=1)[..., 0]
            _check_border(image, images[name])
        except DuGIError as error:
            builder.bad_files.append(str(error))
            continue
        target = out / 'images' / split / f'{name}.png'
        write_png(image[BORDER:-BORDER, BORDER:-BORDER], target)
        items = [
            item._replace(
                name=ALIASES.get(item.name, item.name),
                box=item.box and tuple(value - BORDER for value in item.box),
            )
            for item in objects
        ]
        builder.add(target, None, items)
    return builder


def _check_border(image: ndarray, path: Path) -> None:
    """Raise unless an image of DroneVehicle has the size that has a border."""
    height, width = image.shape
    if (width, height) != RELEASED_SIZE:
        raise DuGIError(
            f'{path} is {width}x{height} pixels, not {RELEASED_SIZE[0]}x'
            f'{RELEASED_SIZE[1]} with a white border: give the files as released'
        )
