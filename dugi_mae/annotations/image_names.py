"""File names of images that were written on another system."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from dugi_mae.errors import DuGIError
from dugi_mae.files import walk_files


def _folded(name: str) -> str:
    """A path as systems compare it that know neither case nor Unicode forms."""
    return unicodedata.normalize('NFC', name.replace('\\', '/')).casefold()


def locate_images(images: Sequence[dict], folder: Path) -> list[dict]:
    """Let each image of an annotation file name a file, where there is one.

    Windows separates folders by backslashes, macOS writes accents as letters of their
    own, and both take upper for lower case; elsewhere these are other names.

    Args:
        images: Entries with ``file_name``, relative to ``folder``.
        folder: Where their files are.

    Returns:
        The images; a ``file_name`` without a file is that of the one alike, if any.

    Raises:
        DuGIError: If several files are alike.
    """
    if all((folder / image['file_name']).is_file() for image in images):
        return list(images)
    alike: dict[str, list[str]] = defaultdict(list)
    for path in walk_files(folder):
        alike[_folded(path)].append(path)
    located = []
    for image in images:
        name = image['file_name']
        found = alike.get(_folded(name), [])
        if not found or (folder / name).is_file():
            located.append(image)
            continue
        if len(found) > 1:
            raise DuGIError(
                f'image {name} may be {" or ".join(sorted(found))} of {folder}: write '
                'the file_name as the file is called'
            )
        located.append(image | dict(file_name=found[0]))
    return located
