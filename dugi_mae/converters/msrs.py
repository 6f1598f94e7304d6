"""MSRS, infrared half: check the released folders and write down the split.

Layout: ``{train,test}/{ir,vi,Segmentation_labels}/<number>{D|N}.png``, D by day and N
at night. The folders are the official split; there is no validation part.
"""

from __future__ import annotations

import re
from pathlib import Path

from dugi_mae.annotations.classes import MSRS
from dugi_mae.converters.files import (
    check_disjoint,
    check_present,
    find_folder,
    link_folder,
    open_release,
)
from dugi_mae.converters.splits import summarize, write_splits
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem

#: Images of the official split.
OFFICIAL = dict(train=1083, test=361)
FOLDERS = ('ir', 'Segmentation_labels')


def read_split(folder: Path, split: str) -> tuple[list[str], list[str]]:
    """Check the split in a folder; gives sorted names, and lines to print."""
    image_folder, label_folder = (find_folder(folder, name) for name in FOLDERS)
    images, labels = images_by_stem(image_folder), images_by_stem(label_folder)
    check_present(images, labels, label_folder, image_folder)
    check_present(labels, images, image_folder, label_folder)
    foreign = [path for name, path in images.items() if not re.match(r'\d+[DN]$', name)]
    if foreign:
        raise DuGIError(
            f'{foreign[0]} is not named as images of MSRS are, such as 00001D.png: '
            'remove it, or give the set as released'
        )
    names = sorted(images)
    day = sum(name.endswith('D') for name in names)
    return names, [
        summarize(split, names, images, labels, MSRS),
        f'{split}: {day} by day, {len(names) - day} at night',
    ]


def convert(source: Path, out: Path, subset: bool = False) -> list[str]:
    """Check the set, link its infrared half and write ``splits/{train,test}.txt``.

    Args:
        source: The release.
        out: Folder to write to. It gets the released layout, as links.
        subset: Accept another number of images than the official one.
    """
    root = open_release(source, out, ('splits', *OFFICIAL), 'MSRS')
    folders = {split: find_folder(root, split) for split in OFFICIAL}
    splits, lines = {}, []
    for split, folder in folders.items():
        splits[split], counted = read_split(folder, split)
        lines += counted
    check_disjoint(splits, root)
    for split, number in OFFICIAL.items():
        if len(splits[split]) != number and not subset:
            raise DuGIError(
                f'{folders[split]} holds {len(splits[split])} images, the official '
                f'split {number}: copy the complete set, or add --subset'
            )
    for split, folder in folders.items():
        lines += [
            link_folder(find_folder(folder, name), out / split / name)
            for name in FOLDERS
        ]
    return lines + write_splits(splits, out, origin='train and test folders of MSRS')
