"""DroneVehicle: the infrared half without its white border, to COCO.

Layout: ``{train,val,test}/{train,val,test}{imgr,labelr}/``; ``r`` is infrared. Images
are released as 840x712 pixels of which a border of 100 on every side is white, and the
boxes count from the border's corner. The cut images are new: ``OUT/images/SPLIT``.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from dugi_mae.annotations.classes import DRONEVEHICLE
from dugi_mae.converters.builder import CocoBuilder, write_annotations
from dugi_mae.converters.files import (
    check_present,
    find_folder,
    open_release,
    subfolders,
    write_png,
)
from dugi_mae.converters.splits import SPLITS
from dugi_mae.converters.voc import annotations_by_stem, read_voc
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem
from dugi_mae.images.loading import to_grey
from dugi_mae.images.reading import decode, read_bytes

#: Spellings that occur in the files; ``*`` and no name at all mean nothing known.
ALIASES = {
    'feright_car': 'freight car',
    'feright car': 'freight car',
    'feright': 'freight car',
    'freight_car': 'freight car',
    'truvk': 'truck',
}
BORDER = 100
RELEASED_SIZE = (840, 712)


def crop(source: Path, target: Path) -> None:
    """Write an image without its border, as a grey PNG.

    A file that is there already is complete, because it was renamed into place, and is
    left alone.
    """
    image = to_grey(decode(read_bytes(source), str(source), luma_only=True))
    height, width = image.shape
    if (width, height) != RELEASED_SIZE:
        raise DuGIError(
            f'{source} is {width}x{height} pixels, not {RELEASED_SIZE[0]}x'
            f'{RELEASED_SIZE[1]} with a white border: give the files as released'
        )
    if not target.is_file():
        write_png(image[BORDER : height - BORDER, BORDER : width - BORDER], target)


def build(folder: Path, split: str, out: Path) -> CocoBuilder:
    """Collect the split in a folder and write its images to ``OUT/images/SPLIT/``."""
    image_folder = find_folder(folder, f'{split}imgr')
    labels = find_folder(folder, f'{split}labelr')
    images, annotations = images_by_stem(image_folder), annotations_by_stem(labels)
    check_present(annotations, images, image_folder, labels)
    width, height = (side - 2 * BORDER for side in RELEASED_SIZE)
    builder = CocoBuilder(split, DRONEVEHICLE, out / 'images')
    builder.note_missing(images.keys() - annotations.keys())
    objects = {name: read_voc(path).objects for name, path in annotations.items()}
    for name in tqdm(annotations, desc=split, unit='image', leave=False):
        crop(images[name], out / 'images' / split / f'{name}.png')
        builder.add_image(f'{split}/{name}.png', width, height)
        for item in objects[name]:
            box = item.box and tuple(value - BORDER for value in item.box)
            builder.add_object(ALIASES.get(item.name, item.name), box)
    return builder


def convert(source: Path, out: Path) -> list[str]:
    """Write ``images/SPLIT/*.png`` and ``annotations/SPLIT.json``."""
    written = 'annotations', 'splits', 'images', *(f'images/{s}' for s in SPLITS)
    root = open_release(source, out, written, 'DroneVehicle')
    here = subfolders(root)
    builders = [build(here[split], split, out) for split in SPLITS if split in here]
    if not builders:
        raise DuGIError(f'folder {root} has none of train, val and test: correct SRC')
    return write_annotations(builders, out)
