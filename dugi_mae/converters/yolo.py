"""Detection sets in the text format of YOLO: ``data.yaml``, images and labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from dugi_mae.converters.builder import CocoBuilder, Item, write_annotations
from dugi_mae.converters.files import check_disjoint
from dugi_mae.converters.splits import SPLITS, read_list
from dugi_mae.errors import DuGIError
from dugi_mae.files import files_by_name, find_label, find_listed
from dugi_mae.images.reading import image_size

#: Shares of an image's side beyond this are pixels or nonsense.
MOST = 1.5


def yolo(root: Path, out: Path) -> list[str]:
    """Convert a set that ``data.yaml`` describes.

    ``train``, ``val`` and ``test`` name folders, lists, or several of them. The label
    file of ``images/train/a.jpg`` is ``labels/train/a.txt``; without one an image has
    no objects. Lines are ``class x y width height``, or a polygon, of which the
    horizontal hull is taken; coordinates are shares of the image's sides.
    """
    path, config = read_config(root)
    names = read_names(config, path)
    images = files_by_name(root)
    labels = files_by_name(root, extensions=('.txt',))
    splits = {
        split: find_images_of(config[split], root, config.get('path'), images, path)
        for split in SPLITS
        if config.get(split)
    }
    if not splits:
        raise DuGIError(f'{path} has none of train, val and test: add them')
    check_disjoint(splits, path)
    builders = []
    for split, listed in splits.items():
        builder = CocoBuilder(split, [*names.values()], root)
        for name in listed:
            label = find_label(label_name(name), labels)
            add_yolo(builder, images[name], label, names)
        builders.append(builder)
    known = {label_name(name) for name in images}
    folders = {PurePosixPath(label_name(n)).parent for s in splits.values() for n in s}
    # A list of classes is what labelImg writes beside labels.
    builders[0].bad_files += [
        f'{file} has no image: copy it there or remove the file'
        for name, file in labels.items()
        if name not in known
        and PurePosixPath(name).parent in folders
        and PurePosixPath(name).name not in ('classes', *SPLITS)
    ]
    return write_annotations(builders, out, root)


def read_config(root: Path) -> tuple[Path, dict]:
    """The file ``data.yaml`` of a set, or the only one of another name."""
    import yaml

    found = sorted([*root.glob('[!.]*.yaml'), *root.glob('[!.]*.yml')])
    named = [path for path in found if path.stem == 'data']
    if len(named or found) != 1:
        listed = ', '.join(path.name for path in found) or 'none'
        raise DuGIError(
            f'folder {root} has no data.yaml (YAML files there: {listed}): correct '
            'SRC, or write one with train, val and names'
        )
    (path,) = named or found
    try:
        config = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = str(error).replace('\n', ' ')
        raise DuGIError(f'{path} is damaged YAML ({problem}): correct it') from None
    if not isinstance(config, dict):
        raise DuGIError(f'{path} holds no keys: write train, val and names')
    return path, config


def read_names(config: dict, path: Path) -> dict[int, str]:
    """Class names by number."""
    names = config.get('names')
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(n, int) for n in names):
        raise DuGIError(
            f'{path} has names={names!r}: write a list of class names, or a name after '
            'each number'
        )
    names = {number: str(name) for number, name in sorted(names.items())}
    if not names or len({*names.values()}) < len(names):
        raise DuGIError(f'{path} has no names, or one twice: give each class its own')
    return names


def find_images_of(
    entries: object, root: Path, base: object, images: Mapping[str, Path], path: Path
) -> list[str]:
    """Names of the images of a split.

    Args:
        entries: A folder or list, or several.
        root: Folder of the set.
        base: What ``path`` of the configuration says; often a place of somebody else's.
        images: All images of the set.
        path: The configuration, for messages.
    """
    found: list[str] = []
    for entry in entries if isinstance(entries, list) else [entries]:
        # Exports begin with '../' although their images lie beside data.yaml.
        inner = str(entry).replace('\\', '/').removeprefix('../')
        places = [root / str(base or '') / str(entry), root / str(entry), root / inner]
        place = next((p.resolve() for p in places if p.exists()), None)
        if place is None or not place.is_relative_to(root.resolve()):
            raise DuGIError(
                f'{entry} of {path} is not in {root}: copy it there or correct the file'
            )
        if place.is_file():
            lines = [line.removeprefix('./') for line in read_list(place)]
            files = {n + image.suffix: n for n, image in images.items()}
            found += (files[f] for f in find_listed(lines, files, str(place), root))
            continue
        prefix = place.relative_to(root.resolve()).as_posix()
        inside = [n for n in images if prefix == '.' or n.startswith(f'{prefix}/')]
        if not inside:
            raise DuGIError(f'folder {place} of {path} holds no image: copy it again')
        found += inside
    return list(dict.fromkeys(found))


def label_name(name: str) -> str:
    """Where the labels of an image are: the last ``images`` becomes ``labels``."""
    parts = PurePosixPath(name).parts
    folders = [i for i, part in enumerate(parts[:-1]) if part == 'images']
    if folders:
        parts = (*parts[: folders[-1]], 'labels', *parts[folders[-1] + 1 :])
    return '/'.join(parts)


def add_yolo(
    builder: CocoBuilder, image: Path, label: Path | None, names: Mapping[int, str]
) -> None:
    """Add an image with the objects of its label file to a split.

    Damaged files are left out.
    """
    try:
        size = image_size(image)
        items = read_labels(label, size, names) if label else []
    except DuGIError as error:
        builder.bad_files.append(str(error))
        return
    builder.add(image, None, items)


def read_labels(
    path: Path, size: tuple[int, int], names: Mapping[int, str]
) -> list[Item]:
    """Read a label file.

    Args:
        path: The file; an empty one has no objects.
        size: Width and height of the image.
        names: Class names by number.

    Raises:
        DuGIError: If a line is not a class and a box or polygon.
    """
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise DuGIError(f'label file {path} is not text: copy it again') from None
    items = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f'line {number} of label file {path}'
        try:
            kind, *values = map(float, line.split())
        except ValueError:
            kind, values = math.nan, []
        if len(values) != 4 and (len(values) < 6 or len(values) % 2):
            raise DuGIError(
                f'{where} is {line.strip()[:40]!r}: a class number and x, y, width, '
                'height or the corners of a polygon are needed, correct it'
            )
        if kind not in names:
            raise DuGIError(
                f'{where} has the class {line.split()[0]}, data.yaml has names for '
                f'{", ".join(map(str, names))}: correct one of them'
            )
        if not all(abs(value) <= MOST for value in values):
            raise DuGIError(
                f'{where} has coordinates that are no shares of the sides: divide '
                'pixels by width and height'
            )
        if len(values) == 4:
            x, y, width, height = values
            xs, ys = (x - width / 2, x + width / 2), (y - height / 2, y + height / 2)
        else:
            xs, ys = values[::2], values[1::2]
        # Text rounds: a box up to the border must not seem to cross it.
        box = (
            min(xs) * size[0],
            min(ys) * size[1],
            max(xs) * size[0],
            max(ys) * size[1],
        )
        items.append(Item(names[int(kind)], tuple(round(v, 2) for v in box)))
    return items
