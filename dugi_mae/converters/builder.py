"""One split of a detection set on its way to a COCO annotation file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dugi_mae.annotations.boxes import clean_box
from dugi_mae.annotations.coco_objects import OTHER_SIZE
from dugi_mae.converters.files import link_folder, remove_files
from dugi_mae.converters.splits import RECORD, SPLITS
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.files import atomic_write
from dugi_mae.images.reading import image_size

#: Files of a split that may be bad, the larger of a number and a share: releases have
#: a few, an incomplete copy has many.
MAX_BAD_FILES, MAX_BAD_SHARE = 3, 0.01


class Item(NamedTuple):
    """An object of an image.

    Attributes:
        name: Of its class.
        box: ``(x1, y1, x2, y2)`` in pixels, ``None`` where the file has none.
        iscrowd: 1 for a group that is not told apart, as in COCO.
    """

    name: str
    box: tuple[float, float, float, float] | None
    iscrowd: int = 0


class CocoBuilder:
    """Collects the images and boxes of a split and counts what it leaves out.

    Args:
        split: Name of the split, such as ``'train'``.
        classes: Class names; their order becomes that of the categories.
        source: Folder that file names are relative to.
    """

    def __init__(self, split: str, classes: Sequence[str], source: Path) -> None:
        self.split = split
        self.classes = tuple(classes)
        self.source = source
        self.images: dict[str, dict] = {}
        self.annotations: list[dict] = []
        self.notes: Counter[str] = Counter()
        #: What is wrong with files that are left out.
        self.bad_files: list[str] = []

    def add(
        self, image: Path, stated: tuple[int, int] | None, items: Iterable[Item]
    ) -> None:
        """Add an image, with the size that its header has, and its objects.

        Boxes go through :func:`~dugi_mae.annotations.boxes.clean_box`. A damaged image
        is left out.

        Args:
            image: The file.
            stated: Width and height in the annotations; another size is counted.
            items: The objects; those of other classes are left out and counted.
        """
        name = image.relative_to(self.source).as_posix()
        if name in self.images:
            raise DuGIError(
                f'split {self.split!r} has image {name} twice: remove one of the '
                'entries from its annotation file'
            )
        try:
            width, height = size = image_size(image)
        except BadImageError as error:
            self.bad_files.append(str(error))
            return
        if stated not in (None, size):
            self.notes[OTHER_SIZE] += 1
        number = len(self.images) + 1
        self.images[name] = dict(id=number, file_name=name, width=width, height=height)
        for item in items:
            if item.name not in self.classes:
                self.notes[f'objects called {item.name!r} left out'] += 1
                continue
            if item.box is None:
                self.notes['objects without a box left out'] += 1
                continue
            box = clean_box(item.box, size, self.notes)
            if box is None:
                continue
            annotation = dict(
                id=len(self.annotations) + 1,
                image_id=number,
                category_id=self.classes.index(item.name) + 1,
                bbox=box,
                area=box[2] * box[3],
                iscrowd=item.iscrowd,
            )
            self.annotations.append(annotation)

    def content(self) -> dict:
        """The COCO structure.

        Raises:
            DuGIError: If there is no box of one of the classes, or too many files are
                bad.
        """
        total = len(self.images) + len(self.bad_files)
        if len(self.bad_files) > max(MAX_BAD_FILES, MAX_BAD_SHARE * total):
            raise DuGIError(
                f'split {self.split!r} has {len(self.bad_files)} bad files of {total}, '
                f'more than {MAX_BAD_FILES} and {MAX_BAD_SHARE:.0%} (first: '
                f'{self.bad_files[0]}): copy the complete set'
            )
        if not self.annotations:
            raise DuGIError(
                f'split {self.split!r} has no box of the classes '
                f'{", ".join(self.classes)} ('
                f'{"; ".join(self._notes()) or "its files name no object"}): give '
                'the annotation files of this data set'
            )
        return dict(
            info=dict(description=f'{self.split}, converted by dugi_mae'),
            licenses=[],
            images=list(self.images.values()),
            annotations=self.annotations,
            categories=[dict(id=i, name=n) for i, n in enumerate(self.classes, 1)],
        )

    def summary(self) -> Iterator[str]:
        """Lines that count images, boxes of each class and what was left out."""
        with_box = {annotation['image_id'] for annotation in self.annotations}
        counts = Counter(item['category_id'] for item in self.annotations)
        listed = ', '.join(f'{n} {counts[i]}' for i, n in enumerate(self.classes, 1))
        yield (
            f'{self.split}: {len(self.images)} images '
            f'({len(self.images) - len(with_box)} without boxes), '
            f'{len(self.annotations)} boxes: {listed}'
        )
        yield from (f'{self.split}: {note}' for note in self._notes())

    def _notes(self) -> list[str]:
        """What is not as in the source, each kind with its count."""
        counts = [f'{note}: {count}' for note, count in self.notes.items()]
        return counts + [f'left out, {problem}' for problem in self.bad_files]


def write_annotations(
    builders: Iterable[CocoBuilder], out: Path, images: Path | None = None
) -> list[str]:
    """Write ``OUT/annotations/SPLIT.json`` for each split.

    All are complete before the first one is written, and those of an earlier run that
    are not among them are removed. The same source gives the same bytes.

    Args:
        builders: The splits.
        out: Folder to write to.
        images: Folder that file names are relative to; ``OUT/images`` becomes a link
            to it.

    Returns:
        Lines to print: what was counted, then the files.
    """
    builders = list(builders)
    paths = {split: out / 'annotations' / f'{split}.json' for split in SPLITS}
    contents = {b.split: json.dumps(b.content()).encode() for b in builders}
    lines = [line for builder in builders for line in builder.summary()]
    missing = [split for split in SPLITS if split not in contents]
    lines += [f'{split}: no such split' for split in missing]
    remove_files([out / RECORD])  # Without it a conversion has broken off.
    lines += remove_files(paths[split] for split in missing)
    if images is not None:
        lines.append(link_folder(images, out / 'images'))
    for split, content in contents.items():
        atomic_write(content, paths[split])
        lines.append(f'{paths[split]} written')
    return lines
