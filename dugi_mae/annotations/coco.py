"""COCO annotation files: reading with checks, choosing classes by their names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from dugi_mae.annotations.coco_items import (
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
        return json.loads(text)
    except FileNotFoundError:
        problem = 'does not exist: correct the path'
    except (OSError, UnicodeDecodeError) as error:
        problem = f'cannot be read ({error}): check that it is a JSON file'
    except (ValueError, RecursionError) as error:  # numbers of 4301 digits, deep lists
        problem = f'is damaged JSON ({error}): copy it again'
        if not text.strip():
            problem = 'is empty: copy it again'
    raise DuGIError(f'annotation file {path} {problem}')


def _check_ids(content: dict, path: str | Path) -> None:
    """Raise unless ids tell images and categories apart."""
    for key in ('images', 'categories'):
        # Evaluation sorts them, which text and numbers together do not allow.
        if len({isinstance(item['id'], str) for item in content[key]}) > 1:
            raise DuGIError(
                f'{key} of {path} have both numbers and strings as ids: write them '
                'all as numbers'
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
    if 'annotation' in content:
        raise DuGIError(
            f"{path} is HIT-UAV's own JSON (key annotation), not COCO: run `python "
            'tools/dataset_converters/convert_dataset.py hit-uav SRC OUT` and use OUT'
        )
    for key in LISTS:
        if not isinstance(content.get(key), list):
            raise DuGIError(
                f'annotation file {path} has no list {key!r}: give a file in COCO '
                f'format, with {", ".join(LISTS)}'
            )
    for key, name, keys in (
        ('images', 'image', IMAGE_KEYS),
        ('categories', 'category', CATEGORY_KEYS),
    ):
        if not content[key]:
            raise DuGIError(f'annotation file {path} lists no {name}: write it again')
        for number, item in enumerate(content[key]):
            check_item(item, keys, f'{name} number {number}', path)
    _check_ids(content, path)
    image_ids = {image['id'] for image in content['images']}
    category_ids = {category['id'] for category in content['categories']}
    for number, annotation in enumerate(content['annotations']):
        what = f'annotation {annotation_name(annotation, number)}'
        check_item(annotation, ANNOTATION_KEYS, what, path)
        for key, listed, ids in (
            ('image_id', 'images', image_ids),
            ('category_id', 'categories', category_ids),
        ):
            if annotation[key] not in ids:
                raise DuGIError(
                    f'{what} of {path} has {key}={annotation[key]!r}, which is not '
                    f'listed under {listed}: add it there or remove the annotation'
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
    ``area`` is the box's where it is missing or 0, which would make mmdet drop the box;
    ``iscrowd`` is 0 where it is missing.

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
                annotation
                | dict(
                    id=len(annotations) + 1,
                    category_id=new_ids[annotation['category_id']],
                    area=annotation.get('area') or width * height,
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
