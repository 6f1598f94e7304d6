"""Finding what a released data set consists of, and writing beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import cv2
from numpy import ndarray

from dugi_mae.errors import DuGIError
from dugi_mae.files import atomic_write


def open_release(
    source: Path, out: Path, written: Iterable[str], *archives: str
) -> Path:
    """Make sure that the source exists and that nothing will be written into one.

    Args:
        source: The source.
        out: Folder to write to.
        written: Folders below ``out`` that get files. A link there, as an earlier run
            leaves one, may lead into the source of any set.
        *archives: Folders that the set's archive unpacks to.

    Returns:
        ``source``, or the one of ``archives`` in it.

    Raises:
        DuGIError: If the source is missing, ``out`` is a file or lies in the source, or
            one of the folders leads out of ``out``.
    """
    here = subfolders(source)
    if out.exists() and not out.is_dir():
        raise DuGIError(f'OUT {out} is a file: name a folder')
    for folder in (out, *(out / name for name in written)):
        place = folder.resolve()
        if not place.is_relative_to(out.resolve()):
            raise DuGIError(
                f'{folder} is a link that leads to {place}, where files would be '
                'written: remove it or name another OUT'
            )
        if place.is_relative_to(source.resolve()):
            raise DuGIError(
                f'OUT {folder} lies in SRC {source}: name a folder elsewhere'
            )
    inner = (here[name] for name in map(str.lower, archives) if name in here)
    return next(inner, source)


def subfolders(root: Path) -> dict[str, Path]:
    """Folders just below a folder by their lower-case names."""
    if not root.is_dir():
        raise DuGIError(f'folder {root} does not exist: correct SRC')
    return {path.name.lower(): path for path in root.iterdir() if path.is_dir()}


def find_folder(root: Path, *names: str) -> Path:
    """The first of several folders that exists, in any case of letters.

    Args:
        root: Where to look.
        names: Names of a folder just below ``root``, in order of preference.
    """
    here = subfolders(root)
    for name in names:
        if name.lower() in here:
            return here[name.lower()]
    found = ', '.join(sorted(path.name for path in here.values())[:8]) or 'none'
    raise DuGIError(
        f'folder {root} has no {" or ".join(names)} in it (folders there: {found}): '
        'correct SRC, or copy the complete set'
    )


def check_present(
    names: Iterable[str], files: Container[str], folder: object, listed_in: object
) -> None:
    """Raise unless a file exists for every name.

    Args:
        names: What must exist.
        files: What exists.
        folder: Where, for the message.
        listed_in: Where the names are from, for the message.
    """
    names = list(names)
    missing = [name for name in names if name not in files]
    if missing:
        raise DuGIError(
            f'{missing[0]} of {listed_in} is not in {folder} ({len(missing)} of '
            f'{len(names)} are not): copy the complete set, or remove it there'
        )


def check_disjoint(splits: Mapping[str, Iterable[str]], place: Path) -> None:
    """Raise if a name is in several splits, which are those of a place."""
    seen: dict[str, str] = {}
    for split, names in splits.items():
        for name in names:
            if name in seen:
                raise DuGIError(
                    f'{name} is in both {seen[name]} and {split} of {place}: remove '
                    'it from one of them'
                )
            seen[name] = split


def write_text(text: str, path: Path) -> None:
    """Write a UTF-8 text file atomically."""
    atomic_write(text.encode('utf-8'), path)


def write_png(pixels: ndarray, path: Path) -> None:
    """Write ``(H, W)`` uint8 pixels as a grey PNG, atomically."""
    atomic_write(cv2.imencode('.png', pixels)[1].tobytes(), path, sync=False)


def remove_file(path: Path) -> list[str]:
    """Remove a file that an earlier run left, if there is one; gives lines to print."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DuGIError(
            f'{path} is of an earlier run and cannot be removed ({error.strerror}): '
            'remove it or name another OUT'
        ) from None
    return [f'{path} of an earlier run removed']


def link_folder(folder: Path, link: Path) -> str:
    """Link to a folder of the source, replacing a link of an earlier run.

    Returns:
        A line to print.
    """
    if link.exists() and not link.is_symlink():
        raise DuGIError(f'{link} is in the way of a link to SRC: name another OUT')
    target = folder.resolve()
    temporary = link.with_name(f'.{os.getpid()}.{link.name}')
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary.symlink_to(target, target_is_directory=True)
        temporary.replace(link)
    except OSError as error:
        raise DuGIError(
            f'link {link} cannot be created ({error.strerror}): name another OUT, on '
            'a disk that has symbolic links'
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return f'{link} -> {target}'
