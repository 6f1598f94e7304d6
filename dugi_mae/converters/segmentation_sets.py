"""Sets with masks and label maps: MSRS, MFNet and IRSTD-1k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy import ndarray
from tqdm import tqdm

from dugi_mae.annotations.classes import MSRS
from dugi_mae.annotations.label_maps import count_pixels
from dugi_mae.annotations.target_masks import target_mask
from dugi_mae.converters.files import (
    check_disjoint,
    check_present,
    find_folder,
    link_folder,
    write_names,
    write_png,
)
from dugi_mae.converters.splits import SPLITS, find_names, read_list, write_splits
from dugi_mae.errors import DuGIError
from dugi_mae.files import files_by_name
from dugi_mae.images import load_infrared
from dugi_mae.images.reading import decode, image_size, read_bytes

#: Images of the official split of MSRS.
MSRS_IMAGES = dict(train=1083, test=361)
MSRS_FOLDERS = ('ir', 'Segmentation_labels')
#: Parts of MFNet's test split, which a copy may lack.
MFNET_PARTS = ('test_day', 'test_night')
#: End of the names of mirrored copies that the scripts of MFNet's authors add.
MFNET_MIRRORED = '_flip'
#: Where copies of IRSTD-1k keep their training and test lists.
IRSTD1K_LISTS = (
    ('trainval.txt', 'test.txt'),
    ('train.txt', 'test.txt'),
    ('img_idx/train_IRSTD-1K.txt', 'img_idx/test_IRSTD-1K.txt'),
    # The authors' own: what only the second one names is the test split.
    ('trainval.txt', 'trainvaltest.txt'),
)


def summarize(
    split: str,
    names: Sequence[str],
    images: Mapping[str, Path],
    labels: Mapping[str, Path],
) -> str:
    """Check every label map of a split; a line with the pixels of each class."""
    counts = np.zeros(len(MSRS), int)
    for name in tqdm(names, desc=split, unit='image', leave=False):
        counts += count_pixels(images[name], labels[name], len(MSRS))[:-1]
    pixels = ', '.join(f'{c} {n}' for c, n in zip(MSRS, counts, strict=True))
    return f'{split}: {len(names)} images, pixels: {pixels}'


def msrs(root: Path, out: Path, subset: bool = False) -> list[str]:
    """Check MSRS, link its infrared half and write ``splits/{train,test}.txt``.

    ``{train,test}/{ir,vi,Segmentation_labels}/``: the folders are the official split;
    there is no validation part. ``subset`` accepts another number of images.
    """
    splits, lines, links = {}, [], []
    for split, number in MSRS_IMAGES.items():
        folder = find_folder(root, split)
        places = [find_folder(folder, name) for name in MSRS_FOLDERS]
        images, labels = map(files_by_name, places)
        check_present(images, labels, places[1], places[0])
        check_present(labels, images, places[0], places[1])
        if len(images) != number and not subset:
            raise DuGIError(
                f'{folder} holds {len(images)} images, the official split {number}: '
                'copy the complete set, or add --subset'
            )
        splits[split] = sorted(images)
        lines.append(summarize(split, splits[split], images, labels))
        links += [
            (place, out / split / name)
            for place, name in zip(places, MSRS_FOLDERS, strict=True)
        ]
    check_disjoint(splits, root)
    lines += [link_folder(place, link) for place, link in links]
    return lines + write_splits(splits, out, origin='train and test folders of MSRS')


def mfnet(root: Path, out: Path) -> list[str]:
    """Write ``thermal/*.png`` and ``splits/*.txt`` of MFNet, and link ``labels``.

    ``images/*.png`` have the channels red, green, blue and thermal; ordinary readers
    take the fourth one for transparency and drop it.
    """
    places = [find_folder(root, name) for name in ('images', 'labels')]
    images, labels = map(files_by_name, places)
    splits = {}
    for split in (*SPLITS, *MFNET_PARTS):
        path = root / f'{split}.txt'
        if split in SPLITS or path.is_file():
            lines = [line for line in read_list(path) if MFNET_MIRRORED not in line]
            splits[split] = find_names(lines, images, path)
            check_present(splits[split], labels, places[1], path)
    parts = {split: splits[split] for split in SPLITS}
    check_disjoint(parts, root)
    lines = [summarize(split, names, images, labels) for split, names in parts.items()]
    wanted = [name for names in parts.values() for name in names]
    for name in tqdm(wanted, desc='thermal', unit='image', leave=False):
        write_png(read_thermal(images[name]), out / 'thermal' / f'{name}.png')
    lines += [
        f'{out / "thermal"} written: {len(wanted)} images',
        link_folder(places[1], out / 'labels'),
    ]
    return lines + write_splits(splits, out, origin='lists of the MFNet release')


def read_thermal(path: Path) -> ndarray:
    """The thermal channel of an image of MFNet, ``(H, W)`` uint8."""
    thermal = load_infrared(path, channels=1, channel=3)[..., 0]
    if thermal.min() == thermal.max():
        raise DuGIError(
            f'{path} has nothing but {thermal.min()} in its fourth channel, which is '
            'transparency then and not thermal: give the set as released'
        )
    return thermal


def irstd1k(root: Path, out: Path) -> list[str]:
    """Write ``masks/*.png`` and ``{trainval,test}.txt``, and link ``images``.

    ``IRSTD1k_Img/`` and ``IRSTD1k_Label/``, or ``images/`` and ``masks/``, with lists.
    Released masks are 0/255, some in several channels or with grey edges; here they
    become 0 and 1.
    """
    places = (
        find_folder(root, 'IRSTD1k_Img', 'images'),
        find_folder(root, 'IRSTD1k_Label', 'masks'),
    )
    images, masks = map(files_by_name, places)
    splits = irstd1k_lists(root, images)
    check_disjoint(splits, root)
    lines = []
    for split, names in splits.items():
        check_present(names, masks, places[1], root)
        pixels, grey = [], []
        for name in tqdm(names, desc=split, unit='mask', leave=False):
            mask, between = read_mask(images[name], masks[name])
            write_png(mask, out / 'masks' / f'{name}.png')
            pixels.append(int((mask == 1).sum()))
            grey.append(between)
        lines.append(
            f'{split}: {len(names)} images ({pixels.count(0)} without target), '
            f'{sum(pixels)} target pixels'
        )
        if any(grey):
            lines.append(
                f'{split}: {sum(map(bool, grey))} masks with {sum(grey)} pixels '
                'between black and their largest value, target from half of that on'
            )
    total = sum(map(len, splits.values()))
    lines += [
        f'{out / "masks"} written: {total} masks',
        f'{len(images) - total} images are in no list and were left out',
        link_folder(places[0], out / 'images'),
    ]
    for split, names in splits.items():
        write_names(names, out / f'{split}.txt')
        lines.append(f'{out / split}.txt written')
    return lines


def irstd1k_lists(root: Path, images: Mapping[str, Path]) -> dict[str, list[str]]:
    """The lists that a copy of IRSTD-1k comes with, and which images they name."""
    for paths in ([root / file for file in files] for files in IRSTD1K_LISTS):
        if all(path.is_file() for path in paths):
            trainval, test = (find_names(read_list(p), images, p) for p in paths)
            if paths[1].name == 'trainvaltest.txt':
                test = sorted({*test} - {*trainval})
            if not test:
                raise DuGIError(f'{paths[1]} names no test image: copy it again')
            return dict(trainval=trainval, test=test)
    raise DuGIError(
        f'folder {root} has no split lists (looked for trainval.txt with test.txt or '
        'trainvaltest.txt, train.txt with test.txt, and img_idx): copy them there'
    )


def read_mask(image: Path, path: Path) -> tuple[ndarray, int]:
    """Read the mask of an image in any form, and count its grey pixels.

    See :func:`dugi_mae.annotations.target_masks.target_mask`.
    """
    mask, between = target_mask(decode(read_bytes(path), str(path)), str(path))
    (width, height), shape = image_size(image), mask.shape
    if shape != (height, width):
        raise DuGIError(
            f'mask {path} is {shape[1]}x{shape[0]} pixels, its image {image} is '
            f'{width}x{height}: fix the mask or remove both'
        )
    return mask, between
