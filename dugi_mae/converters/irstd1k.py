"""IRSTD-1k: one kind of mask and both split lists.

Layout: ``IRSTD1k_Img/*.png``, ``IRSTD1k_Label/*.png`` and lists; or ``images``,
``masks`` and ``img_idx``. Released masks are 0/255, some in several channels.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from numpy import ndarray
from tqdm import tqdm

from dugi_mae.converters.files import link_folder, write_png, write_text
from dugi_mae.converters.folders import (
    check_out,
    find_folder,
    image_size,
    images_by_stem,
    step_into,
)
from dugi_mae.converters.splits import read_names
from dugi_mae.mm.transforms.binary_mask import binary_mask
from dugi_mae.images.reading import decode, read_bytes
from dugi_mae.errors import DuGIError

#: Where copies of the set keep their training and test lists.
LISTS = (
    ('trainval.txt', 'test.txt'),
    ('train.txt', 'test.txt'),
    ('img_idx/train_IRSTD-1K.txt', 'img_idx/test_IRSTD-1K.txt'),
)


def read_mask(image: Path, path: Path) -> tuple[ndarray, bool]:
    """Read a mask in any form.

    Args:
        image: Its image; only the header is read.
        path: The mask.

    Returns:
        ``(H, W)`` uint8 with 1 where the mask is not black, and whether the file has
        several channels.

    Raises:
        DuGIError: If the file is damaged or of another size than the image.
    """
    pixels = decode(read_bytes(str(path)), str(path))
    mask = binary_mask(pixels)
    (width, height), shape = image_size(image), mask.shape
    if shape != (height, width):
        raise DuGIError(
            f'mask {path} is {shape[1]}x{shape[0]} pixels, its image {image} is '
            f'{width}x{height}: mend the mask or take both away'
        )
    return mask, pixels.ndim == 3


def find_lists(root: Path, known: Container[str]) -> dict[str, list[str]]:
    """The lists a copy of the set comes with.

    The authors give ``trainval.txt`` and ``trainvaltest.txt``; what only the second one
    names is the test split.

    Args:
        root: Folder of the set.
        known: Names of its images.

    Raises:
        DuGIError: If there are none.
    """
    for train, test in LISTS:
        if (root / train).is_file() and (root / test).is_file():
            return dict(
                trainval=read_names(root / train, known),
                test=read_names(root / test, known),
            )
    train, whole = root / 'trainval.txt', root / 'trainvaltest.txt'
    if train.is_file() and whole.is_file():
        names = read_names(train, known)
        taken = set(names)
        rest = [name for name in read_names(whole, known) if name not in taken]
        return dict(trainval=names, test=rest)
    raise DuGIError(
        f'folder {root} has no split lists (looked for trainval.txt with test.txt or '
        'trainvaltest.txt, train.txt with test.txt, and img_idx): copy them there, or '
        'name them with --train and --test'
    )


def check_lists(
    splits: Mapping[str, list[str]], images: Mapping[str, Path], folder: Path
) -> None:
    """Raise unless every listed image exists and is in one list only.

    Args:
        splits: Names of each split.
        images: Images by name.
        folder: Where these are, for the message.
    """
    for split, names in splits.items():
        if not names:
            raise DuGIError(f'split {split!r} is empty: correct the split lists')
        missing = [name for name in names if name not in images]
        if missing:
            raise DuGIError(
                f'image {missing[0]} of split {split!r} is not in {folder} '
                f'({len(missing)} of {len(names)} are not): copy the set whole, or '
                'correct the split lists'
            )
    shared = sorted(set(splits['trainval']) & set(splits['test']))
    if shared:
        raise DuGIError(
            f'{shared[0]} stands in both split lists ({len(shared)} images do): take '
            'it off one of them'
        )


def convert(
    source: Path, out: Path, train: Path | None = None, test: Path | None = None
) -> list[str]:
    """Write ``masks/*.png`` and ``{trainval,test}.txt``, and link ``images``.

    Args:
        source: Folder of the set.
        out: Folder to write to.
        train: Training list, if not that of ``source``.
        test: Test list; goes with ``train``.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something is missing or damaged.
    """
    check_out(source, out, 'masks')
    if (train is None) != (test is None):
        raise DuGIError('only one of --train and --test is named: name both')
    root = step_into(source, 'IRSTD-1k', 'IRSTD1k')
    image_folder = find_folder(root, 'IRSTD1k_Img', 'images')
    mask_folder = find_folder(root, 'IRSTD1k_Label', 'masks')
    images, masks = images_by_stem(image_folder), images_by_stem(mask_folder)
    splits = (
        dict(trainval=read_names(train, images), test=read_names(test, images))
        if train
        else find_lists(root, images)
    )
    check_lists(splits, images, image_folder)
    lines, mended = [], 0
    for split, names in splits.items():
        pixels = []
        for name in tqdm(names, desc=split, unit='mask', leave=False):
            if name not in masks:
                raise DuGIError(
                    f'image {images[name]} has no mask in {mask_folder}: copy the set '
                    'whole'
                )
            mask, several = read_mask(images[name], masks[name])
            write_png(mask, out / 'masks' / f'{name}.png')
            mended += several
            pixels.append(int(mask.sum()))
        lines.append(
            f'{split}: {len(names)} images ({pixels.count(0)} without target), '
            f'{sum(pixels)} target pixels'
        )
    total = sum(map(len, splits.values()))
    lines += [
        f'{out / "masks"} written: {total} masks, {mended} of them from several '
        'channels',
        f'{len(images) - total} images are in no list and were left out',
        link_folder(image_folder, out / 'images'),
    ]
    for split, names in splits.items():
        write_text(''.join(f'{name}\n' for name in names), out / f'{split}.txt')
        lines.append(f'{out / split}.txt written')
    return lines
