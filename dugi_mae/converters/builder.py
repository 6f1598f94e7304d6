"""One split of a detection set on its way to a COCO annotation file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from dugi_mae.converters.files import link_folder, remove_file, write_text
from dugi_mae.converters.splits import RECORD, SPLITS
from dugi_mae.errors import DuGIError
from dugi_mae.images.stored_size import image_size


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
        self.images: list[dict] = []
        self._names: set[str] = set()
        self.annotations: list[dict] = []
        self.notes: Counter[str] = Counter()
        self.other_names: Counter[str] = Counter()

    def add_image(self, file_name: str, width: int, height: int) -> None:
        """Add an image; boxes that follow belong to it.

        Args:
            file_name: Path relative to the source, with forward slashes.
            width: In pixels.
            height: In pixels.
        """
        if file_name in self._names:
            raise DuGIError(
                f'split {self.split!r} has image {file_name} twice: remove one of the '
                'entries from its annotation file'
            )
        self._names.add(file_name)
        number = len(self.images) + 1
        self.images.append(
            dict(id=number, file_name=file_name, width=width, height=height)
        )

    def add_file(self, image: Path, stated: tuple[int, int] | None) -> None:
        """Add an image with the size that its header has.

        Args:
            image: The image.
            stated: Width and height in the annotations; another size is counted.
        """
        size = image_size(image)
        if stated not in (None, size):
            self.notes['images of another size than the annotations state'] += 1
        self.add_image(image.relative_to(self.source).as_posix(), *size)

    def add_object(
        self, name: str, box: Sequence[float] | None, iscrowd: int = 0
    ) -> None:
        """Add an object of the last image, cut to its frame, or count why not.

        Args:
            name: Class name; another one than those asked for is left out.
            box: ``(x1, y1, x2, y2)`` in pixels, or ``None`` where the file has none.
                The corners are put in order.
            iscrowd: 1 for a group that is not told apart, as in COCO.
        """
        if name not in self.classes:
            self.other_names[name] += 1
            return
        if box is None:
            self.notes['objects without a box left out'] += 1
            return
        x1, x2, y1, y2 = *sorted(box[::2]), *sorted(box[1::2])
        if (x1, y1, x2, y2) != tuple(box):
            self.notes['boxes with reversed corners put in order'] += 1
            box = x1, y1, x2, y2
        image = self.images[-1]
        limits = (image['width'], image['height']) * 2
        x1, y1, x2, y2 = cut = [
            min(max(value, 0), limit) for value, limit in zip(box, limits, strict=True)
        ]
        if x2 <= x1 or y2 <= y1:
            self.notes['boxes without area in the image left out'] += 1
            return
        if cut != list(box):
            self.notes['boxes cut to the image'] += 1
        self.annotations.append(
            dict(
                id=len(self.annotations) + 1,
                image_id=image['id'],
                category_id=self.classes.index(name) + 1,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=(x2 - x1) * (y2 - y1),
                iscrowd=iscrowd,
            )
        )

    def add_coco(self, content: dict, path: Path, folder: Path) -> CocoBuilder:
        """Add everything in a COCO structure.

        Args:
            content: What :func:`~dugi_mae.annotations.coco.check_coco` gave.
            path: The released annotation file, for messages.
            folder: What its file names are relative to.

        Returns:
            The builder itself.
        """
        names = {item['id']: item['name'] for item in content['categories']}
        missing = [name for name in self.classes if name not in names.values()]
        if missing:
            raise DuGIError(
                f'{path} has no category {", ".join(missing)}: give the annotation '
                'files as they are released'
            )
        objects: dict = {image['id']: [] for image in content['images']}
        for annotation in content['annotations']:
            objects[annotation['image_id']].append(annotation)
        for image in content['images']:
            name = PurePosixPath(image['file_name'])
            if name.is_absolute() or '..' in name.parts:
                raise DuGIError(
                    f'image {name} of {path} may lie outside of SRC: write its path '
                    'relative to the folder of images'
                )
            if not (folder / name).is_file():
                raise DuGIError(
                    f'image {name} of {path} is not in {folder}: copy the complete set'
                )
            self.add_file(folder / name, (image['width'], image['height']))
            for annotation in objects[image['id']]:
                x, y, width, height = annotation['bbox']
                self.add_object(
                    names[annotation['category_id']],
                    (x, y, x + width, y + height),
                    annotation.get('iscrowd') or 0,  # null means no, too
                )
        return self

    def note_missing(self, images: Collection[str]) -> None:
        """Count images that have no annotation file."""
        if images:
            self.notes['images without an annotation file left out'] = len(images)

    def content(self) -> dict:
        """The COCO structure.

        Raises:
            DuGIError: If there is no image, or no box of one of the classes.
        """
        if not self.images:
            raise DuGIError(
                f'split {self.split!r} has no image: check SRC and the split lists'
            )
        if not self.annotations:
            raise DuGIError(
                f'split {self.split!r} has no box of the classes '
                f'{", ".join(self.classes)} ('
                f'{"; ".join(self._left_out()) or "its files name no object"}): give '
                'the annotation files of this data set'
            )
        categories = [
            dict(id=number, name=name) for number, name in enumerate(self.classes, 1)
        ]
        return dict(
            info=dict(description=f'{self.split}, converted by dugi_mae'),
            licenses=[],
            images=self.images,
            annotations=self.annotations,
            categories=categories,
        )

    def summary(self) -> Iterator[str]:
        """Lines that count images, boxes of each class and what was left out."""
        with_box = {annotation['image_id'] for annotation in self.annotations}
        counts = Counter(item['category_id'] for item in self.annotations)
        listed = ', '.join(
            f'{name} {counts[number]}' for number, name in enumerate(self.classes, 1)
        )
        yield (
            f'{self.split}: {len(self.images)} images '
            f'({len(self.images) - len(with_box)} without boxes), '
            f'{len(self.annotations)} boxes: {listed}'
        )
        for line in self._left_out():
            yield f'{self.split}: {line}'

    def _left_out(self) -> Iterator[str]:
        """What is not as in the source, each kind with its count."""
        if self.other_names:
            names = (
                f'{name or "(no name)"} {n}'
                for name, n in self.other_names.most_common()
            )
            yield f'other objects left out: {", ".join(names)}'
        for note, count in self.notes.items():
            yield f'{note}: {count}'


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
    texts = {builder.split: json.dumps(builder.content()) for builder in builders}
    lines = [line for builder in builders for line in builder.summary()]
    missing = [split for split in SPLITS if split not in texts]
    lines += [f'{split}: no such split' for split in missing]
    remove_file(out / RECORD)  # Without it a conversion has broken off.
    for split in missing:
        lines += remove_file(out / 'annotations' / f'{split}.json')
    if images is not None:
        lines.append(link_folder(images, out / 'images'))
    for split, text in texts.items():
        path = out / 'annotations' / f'{split}.json'
        write_text(text, path)
        lines.append(f'{path} written')
    return lines
