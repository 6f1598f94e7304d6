"""IRSTD-1k: one kind of mask and both split lists.

Layout: ``IRSTD1k_Img/*.png``, ``IRSTD1k_Label/*.png`` and lists; or ``images``,
``masks`` and ``img_idx``. Released masks are 0/255, some in several channels.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from numpy import ndarray
from tqdm import tqdm

from dugi_mae.annotations.label_maps import binary_mask
from dugi_mae.converters.files import (
    check_disjoint,
    check_present,
    find_folder,
    link_folder,
    open_release,
    write_png,
    write_text,
)
from dugi_mae.converters.splits import read_names
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem
from dugi_mae.images.reading import decode, read_bytes
from dugi_mae.images.stored_size import image_size

#: Where copies of the set keep their training and test lists.
LISTS = (
    ('trainval.txt', 'test.txt'),
    ('train.txt', 'test.txt'),
    ('img_idx/train_IRSTD-1K.txt', 'img_idx/test_IRSTD-1K.txt'),
    # The authors' own: what only the second one names is the test split.
    ('trainval.txt', 'trainvaltest.txt'),
)


def read_mask(image: Path, path: Path) -> tuple[ndarray, bool]:
    """Read the mask of an image in any form.

    Returns:
        ``(H, W)`` uint8 with 1 where the mask is not black, and whether the file has
        several channels.
    """
    pixels = decode(read_bytes(path), str(path))
    mask = binary_mask(pixels)
    (width, height), shape = image_size(image), mask.shape
    if shape != (height, width):
        raise DuGIError(
            f'mask {path} is {shape[1]}x{shape[0]} pixels, its image {image} is '
            f'{width}x{height}: fix the mask or remove both'
        )
    return mask, pixels.ndim == 3


def find_lists(root: Path, known: Container[str]) -> dict[str, list[str]]:
    """The lists a copy of the set comes with, and which images they name."""
    for files in LISTS:
        train, test = (root / file for file in files)
        if train.is_file() and test.is_file():
            trainval, names = read_names(train, known), read_names(test, known)
            if test.name == 'trainvaltest.txt':
                taken = set(trainval)
                names = [name for name in names if name not in taken]
            return dict(trainval=trainval, test=names)
    raise DuGIError(
        f'folder {root} has no split lists (looked for trainval.txt with test.txt or '
        'trainvaltest.txt, train.txt with test.txt, and img_idx): copy them there, or '
        'name them with --train and --test'
    )


def convert(
    source: Path, out: Path, train: Path | None = None, test: Path | None = None
) -> list[str]:
    """Write ``masks/*.png`` and ``{trainval,test}.txt``, and link ``images``.

    Args:
        source: The release.
        out: Folder to write to.
        train: Training list, if not that of ``source``.
        test: Test list; goes with ``train``.
    """
    if (train is None) != (test is None):
        raise DuGIError('only one of --train and --test is given: give both')
    root = open_release(source, out, ('masks',), 'IRSTD-1k', 'IRSTD1k')
    image_folder = find_folder(root, 'IRSTD1k_Img', 'images')
    mask_folder = find_folder(root, 'IRSTD1k_Label', 'masks')
    images, masks = images_by_stem(image_folder), images_by_stem(mask_folder)
    splits = find_lists(root, images) if train is None else {}
    if train and test:
        splits = dict(trainval=read_names(train, images), test=read_names(test, images))
    for split, names in splits.items():
        if not names:
            raise DuGIError(f'split {split!r} is empty: correct the split lists')
        for files, folder in ((images, image_folder), (masks, mask_folder)):
            check_present(names, files, folder, f'split {split!r}')
    check_disjoint(splits, root)
    lines, several = [], 0
    for split, names in splits.items():
        pixels = []
        for name in tqdm(names, desc=split, unit='mask', leave=False):
            mask, has_channels = read_mask(images[name], masks[name])
            write_png(mask, out / 'masks' / f'{name}.png')
            several += has_channels
            pixels.append(int(mask.sum()))
        lines.append(
            f'{split}: {len(names)} images ({pixels.count(0)} without target), '
            f'{sum(pixels)} target pixels'
        )
    total = sum(map(len, splits.values()))
    lines += [
        f'{out / "masks"} written: {total} masks, {several} of them from several '
        'channels',
        f'{len(images) - total} images are in no list and were left out',
        link_folder(image_folder, out / 'images'),
    ]
    for split, names in splits.items():
        write_text(''.join(f'{name}\n' for name in names), out / f'{split}.txt')
        lines.append(f'{out / split}.txt written')
    return lines
