"""MFNet (MF data set): the thermal images out of the fourth channel.

Layout: ``images/*.png`` with the channels red, green, blue and thermal,
``labels/*.png``, ``train.txt``, ``val.txt``, ``test.txt``. Ordinary readers take the
fourth channel for transparency and drop it.
"""

from __future__ import annotations

from pathlib import Path

from numpy import ndarray
from tqdm import tqdm

from dugi_mae.converters.files import link_folder, write_png
from dugi_mae.converters.folders import (
    check_out,
    find_folder,
    images_by_stem,
    step_into,
)
from dugi_mae.converters.labels import summarize
from dugi_mae.converters.msrs import CLASSES
from dugi_mae.converters.splits import SPLITS, read_names, write_splits
from dugi_mae.mm.transforms.loading import decode, read_bytes
from dugi_mae.errors import DuGIError

#: Parts of the test split, which a copy may lack.
PARTS = ('test_day', 'test_night')
#: End of the names of mirrored copies that the authors' scripts add.
MIRRORED = '_flip'


def read_thermal(path: Path) -> ndarray:
    """The thermal channel of an image, ``(H, W)`` uint8.

    Raises:
        DuGIError: If the file is damaged, has no fourth channel, or one without
            contents.
    """
    pixels = decode(read_bytes(str(path)), str(path))
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels != 4:
        raise DuGIError(
            f'{path} has {channels} channel(s), but images of MFNet have four, the '
            'last one thermal: give the set as released'
        )
    thermal = pixels[..., 3]
    if thermal.min() == thermal.max():
        raise DuGIError(
            f'{path} has nothing but {thermal.min()} in its fourth channel, which is '
            'transparency then and not thermal: give the set as released'
        )
    return thermal


def read_lists(root: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Read the released lists, without mirrored copies.

    Returns:
        Names of each split, and lines to print.

    Raises:
        DuGIError: If a list is missing or empty, or two splits share a name.
    """
    parts = [part for part in PARTS if (root / f'{part}.txt').is_file()]
    splits, lines = {}, []
    for split in (*SPLITS, *parts):
        listed = read_names(root / f'{split}.txt')
        splits[split] = [name for name in listed if not name.endswith(MIRRORED)]
        mirrored = len(listed) - len(splits[split])
        if mirrored:
            lines.append(f'{split}: {mirrored} mirrored copies left out')
    split_of = {}
    for split in SPLITS:
        for name in splits[split]:
            if name in split_of:
                raise DuGIError(
                    f'{name} stands in {split_of[name]}.txt and {split}.txt of {root}: '
                    'take it off one of them'
                )
            split_of[name] = split
    return splits, lines


def convert(source: Path, out: Path) -> list[str]:
    """Write ``thermal/*.png`` and ``splits/*.txt``, and link ``labels``.

    Args:
        source: The folder that holds ``images`` and ``labels``.
        out: Folder to write to.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something is missing or damaged.
    """
    check_out(source, out, 'splits', 'thermal')
    root = step_into(source, 'ir_seg_dataset')
    image_folder, label_folder = (
        find_folder(root, name) for name in ('images', 'labels')
    )
    images, labels = images_by_stem(image_folder), images_by_stem(label_folder)
    splits, lines = read_lists(root)
    for split, names in splits.items():
        for name in names:
            for files, folder in ((images, image_folder), (labels, label_folder)):
                if name not in files:
                    raise DuGIError(
                        f'{name} of {root / split}.txt is not in {folder}: copy the '
                        'set whole, or take it off the list'
                    )
    for split in SPLITS:
        pairs = [(images[name], labels[name]) for name in splits[split]]
        lines.append(summarize(split, pairs, CLASSES))
    wanted = [name for split in SPLITS for name in splits[split]]
    for name in tqdm(wanted, desc='thermal', unit='image', leave=False):
        write_png(read_thermal(images[name]), out / 'thermal' / f'{name}.png')
    lines += [
        f'{out / "thermal"} written: {len(wanted)} images',
        link_folder(label_folder, out / 'labels'),
    ]
    return lines + write_splits(splits, out, origin='lists of the MFNet release')
