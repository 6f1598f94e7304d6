"""Splits: reading released lists, drawing, counting and recording them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dugi_mae.annotations.label_maps import count_pixels
from dugi_mae.converters.files import (
    check_disjoint,
    check_present,
    remove_file,
    write_text,
)
from dugi_mae.errors import DuGIError
from dugi_mae.files import (
    IMAGE_EXTENSIONS,
    listed_names,
    read_lines,
    without_extension,
)

SPLITS = ('train', 'val', 'test')
#: What is written to ``OUT/splits``; MFNet divides its test split by time of day, too.
WRITTEN = (*SPLITS, 'test_day', 'test_night')
#: Where in ``OUT`` the record is, the last file that a conversion writes.
RECORD = Path('splits', 'record.json')
EXTENSIONS = (*IMAGE_EXTENSIONS, '.xml')


def read_names(path: Path, known: Container[str] = ()) -> list[str]:
    """Names of a split list, one a line.

    Blank lines, folders (of either slash), extensions, further columns and a missing
    final newline do not matter.

    Args:
        path: The list.
        known: Names that may contain blanks; a line that is one of them is no columns.

    Raises:
        DuGIError: If the list is missing, empty, or names something twice.
    """
    names = []
    for line in read_lines(path, 'split list', 'correct the path'):
        text, column = listed_names(line)
        texts = text, Path(column).name, Path(text).name
        full, column, file = (without_extension(text, EXTENSIONS) for text in texts)
        names.append(next((n for n in (full, column, file) if n in known), column))
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DuGIError(f'split list {path} has {name} {count} times: keep one of them')
    return names


def draw_split(
    names: Iterable[str], val_fraction: float = 0.2, seed: int = 0
) -> dict[str, list[str]]:
    """Divide names at random, the same way on every machine and in every version.

    Names are ranked by a hash of seed and name; the first ones are validation.

    Args:
        names: What to divide, in any order.
        val_fraction: Share of the validation part, between 0 and 1; it is met to one
            image.
        seed: Another seed is another split.

    Returns:
        Sorted names under ``'train'`` and ``'val'``.

    Raises:
        DuGIError: If ``val_fraction`` is not between 0 and 1 or leaves either part
            empty.
    """
    if not 0 < val_fraction < 1:  # nan is not, too
        raise DuGIError(f'val_fraction={val_fraction}: choose between 0 and 1')

    def rank(name: str) -> bytes:
        return hashlib.sha256(f'{seed}:{name}'.encode()).digest()

    ranked = sorted(names, key=rank)
    num_val = round(val_fraction * len(ranked))
    if not 0 < num_val < len(ranked):
        raise DuGIError(
            f'val_fraction={val_fraction} of {len(ranked)} images leaves a part '
            'empty: choose another one between 0 and 1'
        )
    return dict(train=sorted(ranked[num_val:]), val=sorted(ranked[:num_val]))


def read_splits(folder: Path, names: Collection[str]) -> dict[str, list[str]]:
    """Read ``train.txt``, ``val.txt`` and, if it is there, ``test.txt`` of a folder.

    Args:
        folder: Where the lists are.
        names: All images that may be in them.
    """
    wanted = [
        split for split in SPLITS if split != 'test' or (folder / 'test.txt').is_file()
    ]
    splits = {split: read_names(folder / f'{split}.txt', names) for split in wanted}
    for split, listed in splits.items():
        check_present(listed, names, 'the annotations of SRC', folder / f'{split}.txt')
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
    folder, record, lines = out / 'splits', dict(origin, lists={}), []
    remove_file(out / RECORD)
    for split in WRITTEN:
        if split not in splits:
            lines += remove_file(folder / f'{split}.txt')
    for split, names in splits.items():
        text = ''.join(f'{name}\n' for name in names)
        path = folder / f'{split}.txt'
        write_text(text, path)
        digest = hashlib.sha256(text.encode()).hexdigest()
        record['lists'][split] = dict(images=len(names), sha256=digest)
        lines.append(f'{path} written: {len(names)} images, sha256 {digest}')
    write_text(json.dumps(record, indent=2) + '\n', out / RECORD)
    return lines


def summarize(
    split: str,
    names: Sequence[str],
    images: Mapping[str, Path],
    labels: Mapping[str, Path],
    classes: Sequence[str],
) -> str:
    """Check every label map of a split and say what is in it.

    Args:
        split: Its name.
        names: Those of its images.
        images: Images by name.
        labels: Label maps by name.
        classes: Class names in the order of their label values.

    Returns:
        A line to print: images, those with nothing but the first class, and pixels of
        each class.
    """
    counts = np.stack(
        [
            count_pixels(images[name], labels[name], len(classes))
            for name in tqdm(names, desc=split, unit='image', leave=False)
        ]
    )
    totals = zip(classes, counts.sum(axis=0), strict=True)
    listed = ', '.join(f'{name} {number}' for name, number in totals)
    empty = int((counts[:, 1:].sum(axis=1) == 0).sum())
    return (
        f'{split}: {len(counts)} images ({empty} with nothing but {classes[0]}), '
        f'pixels: {listed}'
    )
