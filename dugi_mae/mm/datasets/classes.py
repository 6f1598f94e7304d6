"""Class names as configs give them."""

from __future__ import annotations

import reprlib
from collections import Counter

from dugi_mae.errors import DuGIError


def check_classes(classes: object, remedy: str) -> None:
    """Raise unless these are class names, each of its own.

    Args:
        classes: Value of ``metainfo['classes']``.
        remedy: What messages advise where it is no list of names.

    Raises:
        DuGIError: If it is no list, empty, or something in it is no text or there
            twice.
    """
    is_list = isinstance(classes, (list, tuple)) and len(classes) > 0
    if not is_list or not all(isinstance(name, str) and name for name in classes):
        raise DuGIError(
            f'metainfo.classes={reprlib.repr(classes)} is no list of names: {remedy}'
        )
    name, count = Counter(classes).most_common(1)[0]
    if count > 1:
        raise DuGIError(
            f'metainfo.classes has {name!r} {count} times: give each class its own name'
        )
