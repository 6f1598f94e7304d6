"""COCO annotation files: reading with checks, choosing classes by their names."""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Callable, Sequence
from pathlib import Path

from dugi_mae.errors import DuGIError

#: What a COCO annotation file consists of.
LISTS = ('images', 'annotations', 'categories')
IMAGE_KEYS = ('id', 'file_name', 'width', 'height')
ANNOTATION_KEYS = ('image_id', 'category_id', 'bbox')
OPTIONAL_KEYS = ('area', 'iscrowd', 'segmentation')


def read_json(path: str | Path) -> object:
    """Read a JSON file.

    Raises:
        DuGIError: If the file is missing, empty or not JSON.
    """
    try:
        text = Path(path).read_text(encoding='utf-8')
    except FileNotFoundError:
        raise DuGIError(
            f'annotation file {path} does not exist: correct the path'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DuGIError(
            f'annotation file {path} cannot be read ({error}): check that it is a '
            'JSON file and that you may read it'
        ) from None
    if not text.strip():
        raise DuGIError(f'annotation file {path} is empty: copy or write it again')
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of 4301 digits, deep lists
        raise DuGIError(
            f'annotation file {path} is damaged JSON ({error}): copy or write it again'
        ) from None


def _check_keys(item: object, keys: Sequence[str], what: str, path: object) -> None:
    """Raise unless an item of a list has the keys that are needed, of their types."""
    missing = [key for key in keys if not (isinstance(item, dict) and key in item)]
    if missing:
        raise DuGIError(
            f'{what} of {path} has no {missing[0]!r}: this is not COCO format, '
            'write the file again'
        )
    for key in (*keys, *OPTIONAL_KEYS):
        fits, wanted = _TYPES[key]
        if key in item and not fits(item[key]):
            raise DuGIError(
                f'{what} of {path} has {key}={reprlib.repr(item[key])}: {wanted} is '
                'needed, correct it or write the file again'
            )


def _is_number(value: object, most: float = 1e6) -> bool:
    """Whether a value is a number of pixels; JSON's NaN and Infinity are none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) < most


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_size(value: object) -> bool:
    return _is_number(value) and value > 0 and value == int(value)


def _is_box(value: object) -> bool:
    return isinstance(value, list) and list(map(_is_number, value)) == [True] * 4


def _is_segmentation(value: object) -> bool:
    """Whether it is a list of polygons, which may be empty, or run lengths."""
    if value is None or isinstance(value, list):
        polygons = value or []
        return all(isinstance(p, list) and all(map(_is_number, p)) for p in polygons)
    if not isinstance(value, dict) or set(value) != {'size', 'counts'}:
        return False
    size, counts = value['size'], value['counts']
    if not isinstance(size, list) or list(map(_is_size, size)) != [True] * 2:
        return False
    if isinstance(counts, str):
        return True
    runs = isinstance(counts, list) and all(
        isinstance(n, int) and n >= 0 for n in counts
    )
    return runs and sum(counts) == size[0] * size[1]


#: What a value must be, and what messages call that.
_TYPES: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(('id', 'image_id', 'category_id'), (_is_id, 'a number or a text')),
    **dict.fromkeys(('file_name', 'name'), (lambda v: isinstance(v, str), 'a text')),
    **dict.fromkeys(('width', 'height'), (_is_size, 'a number of pixels')),
    'bbox': (
        _is_box,
        'a list of four numbers x, y, width, height (rotated boxes: take the '
        'horizontal annotation files)',
    ),
    'area': (lambda v: _is_number(v, 1e12), 'a number'),
    'iscrowd': (lambda v: v in (0, 1, None), '0 or 1'),
    'segmentation': (_is_segmentation, 'a list of polygons or of run lengths'),
}


def check_coco(content: object, path: str | Path) -> dict:
    """Make sure that parsed JSON is a COCO annotation file with at least one image.

    Args:
        content: The parsed file.
        path: Its name, for messages.

    Returns:
        ``content`` itself.

    Raises:
        DuGIError: If it is not, or images, annotations and categories do not fit.
    """
    content = content if isinstance(content, dict) else {}
    images = content.get('images')
    first = images[0] if isinstance(images, list) and images else {}
    keys = set(first) if isinstance(first, dict) else set()
    if 'annotation' in content or keys & {'filename', 'file_name'} == {'filename'}:
        raise DuGIError(
            f"{path} is HIT-UAV's own JSON (keys annotation, filename), not COCO: run "
            '`python tools/dataset_converters/hit_uav.py SRC OUT` and use OUT'
        )
    for key in LISTS:
        if not isinstance(content.get(key), list):
            raise DuGIError(
                f'annotation file {path} has no list {key!r}: give a file in COCO '
                f'format, with {", ".join(LISTS)}'
            )
    if not images:
        raise DuGIError(
            f'annotation file {path} lists no image: the split is empty, write it again'
        )
    if not content['categories']:
        raise DuGIError(
            f'annotation file {path} lists no category: name the classes there'
        )
    for number, image in enumerate(images):
        _check_keys(image, IMAGE_KEYS, f'image number {number}', path)
    for number, category in enumerate(content['categories']):
        _check_keys(category, ('id', 'name'), f'category number {number}', path)
    image_ids = {image['id'] for image in images}
    if len(image_ids) < len(images):
        raise DuGIError(
            f'{len(images) - len(image_ids)} images of {path} share an id with '
            'another one: number them'
        )
    category_ids = {category['id'] for category in content['categories']}
    for number, annotation in enumerate(content['annotations']):
        what = f'annotation {_name(annotation, number)}'
        _check_keys(annotation, ANNOTATION_KEYS, what, path)
        if annotation['image_id'] not in image_ids:
            raise DuGIError(
                f'{what} of {path} belongs to image {annotation["image_id"]!r}, which '
                'is not listed under images: add the image or take the annotation out'
            )
        if annotation['category_id'] not in category_ids:
            raise DuGIError(
                f'{what} of {path} has category {annotation["category_id"]!r}, which '
                'is not listed under categories: add the category or take it out'
            )
    return content


def check_masks(content: dict, path: str | Path) -> None:
    """Raise unless every annotation has a mask.

    Args:
        content: What :func:`check_coco` gave.
        path: Its name, for messages.

    Raises:
        DuGIError: If one has none.
    """
    for number, annotation in enumerate(content['annotations']):
        if not annotation.get('segmentation'):
            raise DuGIError(
                f'annotation {_name(annotation, number)} of {path} has no '
                'segmentation, which with_mask=True of the pipeline asks for: add it, '
                'take the annotation out, or train without masks'
            )


def _name(annotation: object, number: int) -> str:
    """What to call an annotation in a message."""
    has_id = isinstance(annotation, dict) and 'id' in annotation
    return repr(annotation['id']) if has_id else f'number {number}'


def class_names(content: dict) -> tuple[str, ...]:
    """Names of the categories, in the file's order."""
    return tuple(dict.fromkeys(item['name'] for item in content['categories']))


def select_classes(content: dict, classes: Sequence[str], path: str | Path) -> dict:
    """Number the categories after a list of names, and leave the others out.

    Afterwards category ``i + 1`` is ``classes[i]``, however the file numbers and orders
    its own: the hosts take both for granted. Annotations are numbered from 1, because
    pycocotools takes the number 0 for "not matched" and calls its detection wrong.
    ``area`` and ``iscrowd`` are filled in where they are missing.

    Args:
        content: What :func:`check_coco` gave.
        classes: Names as they stand in the file.
        path: Its name, for messages.

    Returns:
        A new COCO structure; images are kept, also those left without a box.

    Raises:
        DuGIError: If a name is not in the file.
    """
    known = class_names(content)
    for name in classes:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f'did you mean {near[0]!r}? ' if near else ''
            raise DuGIError(
                f'class {name!r} is not in {path}: {hint}its classes are '
                f'{", ".join(map(repr, known)) or "none"}; correct metainfo.classes'
            )
    numbers = {name: number for number, name in enumerate(classes, 1)}
    new_ids = {
        item['id']: numbers[item['name']]
        for item in content['categories']
        if item['name'] in numbers
    }
    annotations = []
    for annotation in content['annotations']:
        if annotation['category_id'] in new_ids:
            width, height = annotation['bbox'][2:]
            annotations.append(
                dict(area=width * height, iscrowd=0)
                | annotation
                | dict(
                    id=len(annotations) + 1,
                    category_id=new_ids[annotation['category_id']],
                )
            )
    categories = [dict(id=number, name=name) for name, number in numbers.items()]
    return dict(
        info=content.get('info', {}),  # some pycocotools cannot do without
        images=content['images'],
        annotations=annotations,
        categories=categories,
    )
