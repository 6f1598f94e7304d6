"""COCO annotation files: reading with checks, choosing classes by their names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from dugi_mae.converters.coco_items import (
    ANNOTATION_KEYS,
    CATEGORY_KEYS,
    IMAGE_KEYS,
    annotation_name,
    check_item,
)
from dugi_mae.errors import DuGIError

#: What a COCO annotation file consists of.
LISTS = ('images', 'annotations', 'categories')


def read_json(path: str | Path) -> object:
    """Read a JSON file.

    Raises:
        DuGIError: If the file is missing, empty or not JSON.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
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


def _check_ids(content: dict, path: str | Path) -> None:
    """Raise unless ids tell images and categories apart."""
    for key in ('images', 'categories'):
        # Evaluation sorts them, which text and numbers together do not allow.
        if len({isinstance(item['id'], str) for item in content[key]}) > 1:
            raise DuGIError(
                f'{key} of {path} have ids of which some are numbers and some texts: '
                'write them all as numbers'
            )
    images = content['images']
    unique = len({image['id'] for image in images})
    if unique < len(images):
        raise DuGIError(
            f'{len(images) - unique} images of {path} share an id with another one: '
            'number them'
        )
    names = {}
    for category in content['categories']:
        known = names.setdefault(category['id'], category['name'])
        if known != category['name']:
            raise DuGIError(
                f'categories {known!r} and {category["name"]!r} of {path} share the '
                f'id {category["id"]!r}: give each its own, and the annotations theirs'
            )


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
        check_item(image, IMAGE_KEYS, f'image number {number}', path)
    for number, category in enumerate(content['categories']):
        check_item(category, CATEGORY_KEYS, f'category number {number}', path)
    _check_ids(content, path)
    image_ids = {image['id'] for image in images}
    category_ids = {category['id'] for category in content['categories']}
    for number, annotation in enumerate(content['annotations']):
        what = f'annotation {annotation_name(annotation, number)}'
        check_item(annotation, ANNOTATION_KEYS, what, path)
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


def class_names(content: dict) -> tuple[str, ...]:
    """Names of the categories, in the file's order."""
    return tuple(dict.fromkeys(item['name'] for item in content['categories']))


def select_classes(
    content: dict,
    classes: Sequence[str],
    path: str | Path,
    remedy: str = 'correct metainfo.classes',
) -> dict:
    """Number the categories after a list of names, and leave the others out.

    Afterwards category ``i + 1`` is ``classes[i]``, however the file numbers and orders
    its own: the hosts take both for granted. Annotations are numbered from 1, because
    pycocotools takes the number 0 for "not matched" and calls its detection wrong.
    ``area`` and ``iscrowd`` are filled in where they are missing.

    Args:
        content: What :func:`check_coco` gave.
        classes: Names as they stand in the file.
        path: Its name, for messages.
        remedy: What they advise where a class is missing.

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
                f'{", ".join(map(repr, known)) or "none"}; {remedy}'
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
                dict(area=width * height)
                | annotation
                | dict(
                    id=len(annotations) + 1,
                    category_id=new_ids[annotation['category_id']],
                    iscrowd=annotation.get('iscrowd') or 0,  # null means no, too
                )
            )
    categories = [dict(id=number, name=name) for name, number in numbers.items()]
    return dict(
        info=content.get('info', {}),  # some pycocotools cannot do without
        images=content['images'],
        annotations=annotations,
        categories=categories,
    )
