"""COCO annotation files: reading with checks, choosing classes by their names."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dugi_mae.annotations.coco_items import KEYS, check_item
from dugi_mae.errors import DuGIError


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
    for name, keys in KEYS.items():
        if not isinstance(content.get(name), list):
            raise DuGIError(
                f'annotation file {path} has no list {name!r}: give a file in COCO '
                f'format, with {", ".join(KEYS)}'
            )
        if not content[name] and name != 'annotations':
            raise DuGIError(f'annotation file {path} lists no {name}: write it again')
        for number, item in enumerate(content[name]):
            check_item(item, keys, f'{name}[{number}] of {path}')
    # The same category twice does no harm.
    categories = {(item['id'], item['name']) for item in content['categories']}
    known = (
        ('images', 'image_id', [item['id'] for item in content['images']]),
        ('categories', 'category_id', [number for number, _ in categories]),
    )
    for name, key, listed in known:
        _check_ids(listed, f'{name} of {path}')
        ids = set(listed)
        for number, annotation in enumerate(content['annotations']):
            if annotation[key] not in ids:
                raise DuGIError(
                    f'annotations[{number}] of {path} has {key}={annotation[key]!r}, '
                    f'which is not among the {name}: add it there or remove the '
                    'annotation'
                )
    return content


def _check_ids(ids: list[int | str], what: str) -> None:
    """Raise unless ids tell images or categories apart."""
    # Evaluation sorts them, which text and numbers together do not allow.
    if len({isinstance(i, str) for i in ids}) > 1:
        raise DuGIError(
            f'{what} have both numbers and strings as ids: write them all as numbers'
        )
    shared, count = Counter(ids).most_common(1)[0]
    if count > 1:
        raise DuGIError(
            f'{count} {what} share the id {shared!r}: give each its own, and the '
            'annotations theirs'
        )


def class_names(content: dict) -> tuple[str, ...]:
    """Names of the categories, in the file's order."""
    return tuple(dict.fromkeys(item['name'] for item in content['categories']))


def select_classes(content: dict, classes: Sequence[str], path: str | Path) -> dict:
    """Number the categories after a list of names, and leave the others out.

    Afterwards category ``i + 1`` is ``classes[i]``, however the file numbers and orders
    its own: the hosts take both for granted. Annotations are numbered from 1, because
    pycocotools takes the number 0 for "not matched" and calls its detection wrong.
    ``area`` is the box's where it is missing or 0, which would make mmdet drop the box;
    ``iscrowd`` is 0 where it is missing. Boxes are as in the file, see
    :mod:`dugi_mae.annotations.coco_objects`.

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
                f'{", ".join(map(repr, known))}; correct metainfo.classes'
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
