"""Text files that list images, and which images they mean."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from dugi_mae.errors import DuGIError

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def without_extension(name: str, extensions: Sequence[str] = IMAGE_EXTENSIONS) -> str:
    """A name without its ending, if that is a known one; other dots are kept."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in extensions else name


def read_lines(path: str | Path, what: str, remedy: str) -> list[str]:
    """Lines of a UTF-8 text file that are not blank, without blanks around them.

    Args:
        path: The file.
        what: What messages call it.
        remedy: What they advise where it cannot be read.

    Raises:
        DuGIError: If it is missing, no text, or empty.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        text = '\0'
    except OSError as error:
        raise DuGIError(
            f'{what} {path} cannot be read ({error.strerror}): {remedy}'
        ) from None
    if '\0' in text:
        raise DuGIError(f'{what} {path} is no text in UTF-8: {remedy}')
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DuGIError(f'{what} {path} is empty: write one image name a line')
    return lines


def found_instead(folder: Path, name: str) -> str:
    """Files of a folder that may be meant by a name, for messages; often none."""
    beginnings = tuple(name + c for c in '._-')
    found = sorted(p.name for p in folder.iterdir() if p.name.startswith(beginnings))
    return f' (found {", ".join(found[:4])})' if found else ''


def _tails(path: str) -> list[str]:
    """A path, then the same without its first folder, and so on."""
    parts = path.split('/')
    return ['/'.join(parts[start:]) for start in range(len(parts))]


def find_listed(
    lines: Iterable[str], paths: Iterable[str], ann_file: str, folder: Path
) -> list[str]:
    """The images that the lines of a list mean, in its order.

    A name may lack its ending and folders, or have folders more, of either slash; what
    follows in other columns is ignored.

    Args:
        lines: As :func:`read_lines` gives them.
        paths: All images, relative to their folder, with forward slashes.
        ann_file: The list, for messages.
        folder: The folder of the images, for messages.

    Returns:
        Some of ``paths``.

    Raises:
        DuGIError: If an image is missing or listed twice, or a name fits several.
    """
    named = defaultdict(list)
    for path in paths:
        for tail in _tails(path):
            named[tail].append(path)
            named[without_extension(tail)].append(path)
    listed = {}
    for line in lines:
        slashed = line.replace('\\', '/')  # of lists that were made on Windows
        column = slashed.split()[0]
        # A name may contain blanks, so the whole line is tried first.
        names = [
            name
            for text in (line, slashed, *_tails(column))
            for name in (text, without_extension(text))
        ]
        name = next((name for name in names if name in named), None)
        if name is None:
            stem = without_extension(os.path.basename(column))
            raise DuGIError(
                f'image {column} of {ann_file} is not in {folder}'
                f'{found_instead(folder, stem)}: copy it there, as PNG, JPEG or TIFF, '
                'or take it off the list'
            )
        meant = named[name]
        # An image just in the folder needs no more than its name.
        meant = [p for p in meant if name in (p, without_extension(p))] or meant
        if len(meant) > 1:
            raise DuGIError(
                f'image {column} of {ann_file} may be {meant[0]} or {meant[1]} of '
                f'{folder}: list it with its folder and ending'
            )
        if meant[0] in listed:
            raise DuGIError(
                f'image {column} of {ann_file} is {meant[0]}, which the line '
                f'{listed[meant[0]]!r} names, too: keep one of them'
            )
        listed[meant[0]] = line
    return list(listed)
