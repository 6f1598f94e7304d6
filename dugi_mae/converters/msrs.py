"""MSRS, infrared half: check the released folders and write down the split.

Layout: ``{train,test}/{ir,vi,Segmentation_labels}/<number>{D|N}.png``, D by day and N
at night. The folders are the official split; there is no validation part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dugi_mae.converters.files import link_folder
from dugi_mae.converters.folders import (
    check_apart,
    check_out,
    find_folder,
    images_by_stem,
    step_into,
)
from dugi_mae.converters.labels import summarize
from dugi_mae.converters.splits import write_splits
from dugi_mae.errors import DuGIError

CLASSES = (
    *('unlabelled', 'car', 'person', 'bike', 'curve'),
    *('car_stop', 'guardrail', 'color_cone', 'bump'),
)
#: RGB, as in the authors' own pictures.
PALETTE = (
    *((0, 0, 0), (64, 0, 128), (64, 64, 0), (0, 128, 192), (0, 0, 192)),
    *((128, 128, 0), (64, 64, 128), (192, 128, 128), (192, 64, 0)),
)
#: Images of the official split.
OFFICIAL = dict(train=1083, test=361)
FOLDERS = ('ir', 'Segmentation_labels')


def check_pairs(
    images: Mapping[str, Path], labels: Mapping[str, Path], label_folder: Path
) -> None:
    """Raise unless images and label maps are of the same names.

    Args:
        images: Images by name.
        labels: Label maps by name.
        label_folder: Where these are, for the message.
    """
    for without, others, what, where in (
        (images, labels, 'label map', label_folder),
        (labels, images, 'image', next(iter(images.values())).parent),
    ):
        missing = sorted(without.keys() - others.keys())
        if missing:
            raise DuGIError(
                f'{without[missing[0]]} has no {what} in {where} ({len(missing)} of '
                f'{len(without)} have none): copy the set whole'
            )


def read_split(folder: Path, split: str) -> tuple[list[str], list[str]]:
    """Check one split.

    Args:
        folder: The folder of the split.
        split: Its name.

    Returns:
        Sorted names, and lines to print.

    Raises:
        DuGIError: If something is missing, damaged or not of this set.
    """
    label_folder = find_folder(folder, FOLDERS[1])
    images = images_by_stem(find_folder(folder, FOLDERS[0]))
    labels = images_by_stem(label_folder)
    check_pairs(images, labels, label_folder)
    foreign = [path for name, path in images.items() if not re.match(r'\d+[DN]$', name)]
    if foreign:
        raise DuGIError(
            f'{foreign[0]} is not named as images of MSRS are, such as 00001D.png: '
            'take it away, or give the set as released'
        )
    names = sorted(images)
    day = sum(name.endswith('D') for name in names)
    pairs = [(images[name], labels[name]) for name in names]
    return names, [
        summarize(split, pairs, CLASSES),
        f'{split}: {day} by day, {len(names) - day} at night',
    ]


def convert(source: Path, out: Path, subset: bool = False) -> list[str]:
    """Check the set, link its infrared half and write ``splits/{train,test}.txt``.

    Args:
        source: The folder that holds ``train`` and ``test``.
        out: Folder to write to. It gets the released layout, as links.
        subset: Accept another number of images than the official one.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something is missing, damaged or not of this set.
    """
    check_out(source, out, 'splits', *OFFICIAL)
    root = step_into(source, 'MSRS')
    folders = {split: find_folder(root, split) for split in OFFICIAL}
    splits, lines = {}, []
    for split, folder in folders.items():
        splits[split], counted = read_split(folder, split)
        lines += counted
    check_apart(folders, splits)
    for split, number in OFFICIAL.items():
        if len(splits[split]) != number and not subset:
            raise DuGIError(
                f'{folders[split]} holds {len(splits[split])} images, the official '
                f'split {number}: copy the set whole, or add --subset'
            )
    for split, folder in folders.items():
        lines += [
            link_folder(find_folder(folder, name), out / split / name)
            for name in FOLDERS
        ]
    return lines + write_splits(splits, out, origin='train and test folders of MSRS')
