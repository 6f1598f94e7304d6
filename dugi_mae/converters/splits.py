"""Splits: reading released lists, drawing and recording them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from dugi_mae.converters.files import check_disjoint, remove_files, write_names
from dugi_mae.files import atomic_write, find_listed, read_lines

SPLITS = ('train', 'val', 'test')
#: What may be in ``OUT/splits``; MFNet divides its test split by time of day, too.
WRITTEN = (*SPLITS, 'test_day', 'test_night')
#: Where in ``OUT`` the record is, the last file that a conversion writes.
RECORD = Path('splits', 'record.json')


def read_list(path: Path) -> list[str]:
    """Lines of a released list that are not blank."""
    return read_lines(path, 'split list', 'copy the complete set')


def find_names(
    lines: Iterable[str], images: Mapping[str, Path], path: Path
) -> list[str]:
    """Names of the images, below one folder, that the lines of a list mean.

    See :func:`dugi_mae.files.find_listed`; ``path`` is the list, for messages.
    """
    names = {name + image.suffix: name for name, image in images.items()}
    name, image = next(iter(images.items()))
    folder = image.parents[name.count('/')]
    return [names[file] for file in find_listed(lines, names, str(path), folder)]


def draw_split(names: Collection[str]) -> dict[str, list[str]]:
    """Divide names four to one at random, the same way on every machine.

    Names are ranked by a hash of seed 0 and name; the first ones are validation.

    Returns:
        Sorted names under ``'train'`` and ``'val'``.
    """
    ranked = sorted(names, key=lambda name: sha256(f'0:{name}'.encode()).digest())
    num_val = round(0.2 * len(ranked))
    return dict(train=sorted(ranked[num_val:]), val=sorted(ranked[:num_val]))


def read_splits(folder: Path, images: Mapping[str, Path]) -> dict[str, list[str]]:
    """Read ``train.txt``, ``val.txt`` and, if it is there, ``test.txt`` of a folder."""
    paths = {split: folder / f'{split}.txt' for split in SPLITS}
    splits = {
        split: find_names(read_list(path), images, path)
        for split, path in paths.items()
        if split != 'test' or path.is_file()
    }
    check_disjoint(splits, folder)
    return splits


def write_splits(
    splits: Mapping[str, Sequence[str]], out: Path, **origin: object
) -> list[str]:
    """Write ``OUT/splits/SPLIT.txt`` and, last, ``OUT/splits/record.json``.

    The record holds the number of names and the SHA-256 of each list, and how the lists
    came about, so that two results can be known to be on the same split. That of an
    earlier run is removed first, with the lists that are not written again.

    Args:
        splits: Names of each split.
        out: Folder to write to.
        **origin: What to record besides, such as ``seed``.

    Returns:
        Lines to print.
    """
    paths = {split: out / 'splits' / f'{split}.txt' for split in WRITTEN}
    remove_files([out / RECORD])
    lines = remove_files(path for split, path in paths.items() if split not in splits)
    record = dict(origin, lists={})
    for split, names in splits.items():
        digest = sha256(write_names(names, paths[split])).hexdigest()
        record['lists'][split] = dict(images=len(names), sha256=digest)
        lines.append(f'{paths[split]} written: {len(names)} images, sha256 {digest}')
    atomic_write(f'{json.dumps(record, indent=2)}\n'.encode(), out / RECORD)
    return lines
