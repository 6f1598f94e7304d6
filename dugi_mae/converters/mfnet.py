"""MFNet (MF data set): the thermal images out of the fourth channel.

Layout: ``images/*.png`` with the channels red, green, blue and thermal,
``labels/*.png``, ``train.txt``, ``val.txt``, ``test.txt``. Ordinary readers take the
fourth channel for transparency and drop it.
"""

from __future__ import annotations

from pathlib import Path

from numpy import ndarray
from tqdm import tqdm

from dugi_mae.annotations.classes import MSRS
from dugi_mae.converters.files import (
    check_disjoint,
    check_present,
    find_folder,
    link_folder,
    open_release,
    write_png,
)
from dugi_mae.converters.splits import SPLITS, read_names, summarize, write_splits
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem
from dugi_mae.images.reading import decode, read_bytes

#: Parts of the test split, which a copy may lack.
PARTS = ('test_day', 'test_night')
#: End of the names of mirrored copies that the authors' scripts add.
MIRRORED = '_flip'


def read_thermal(path: Path) -> ndarray:
    """The thermal channel of an image, ``(H, W)`` uint8."""
    pixels = decode(read_bytes(path), str(path))
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


def convert(source: Path, out: Path) -> list[str]:
    """Write ``thermal/*.png`` and ``splits/*.txt``, and link ``labels``."""
    root = open_release(source, out, ('splits', 'thermal'), 'ir_seg_dataset')
    folders = [find_folder(root, name) for name in ('images', 'labels')]
    images, labels = map(images_by_stem, folders)
    splits, lines = {}, []
    for split in (*SPLITS, *PARTS):
        path = root / f'{split}.txt'
        if split in PARTS and not path.is_file():
            continue
        listed = read_names(path)
        names = splits[split] = [n for n in listed if not n.endswith(MIRRORED)]
        mirrored = len(listed) - len(names)
        if mirrored:
            lines.append(f'{split}: {mirrored} mirrored copies left out')
        for files, folder in zip((images, labels), folders, strict=True):
            check_present(names, files, folder, path)
    parts = {split: splits[split] for split in SPLITS}
    check_disjoint(parts, root)
    lines += [summarize(s, names, images, labels, MSRS) for s, names in parts.items()]
    wanted = [name for names in parts.values() for name in names]
    for name in tqdm(wanted, desc='thermal', unit='image', leave=False):
        write_png(read_thermal(images[name]), out / 'thermal' / f'{name}.png')
    lines += [
        f'{out / "thermal"} written: {len(wanted)} images',
        link_folder(folders[1], out / 'labels'),
    ]
    return lines + write_splits(splits, out, origin='lists of the MFNet release')
