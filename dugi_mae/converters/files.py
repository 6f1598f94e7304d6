"""Finding what a released data set consists of, and writing beside it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Container, Iterable, Mapping
from pathlib import Path

import cv2
from numpy import ndarray

from dugi_mae.errors import DuGIError
from dugi_mae.files import atomic_write


def open_release(
    source: Path, out: Path, written: Iterable[str], archives: Iterable[str]
) -> Path:
    """Make sure that the source exists and that nothing will be written into one.

    Args:
        source: The source.
        out: Folder to write to.
        written: Folders below ``out`` that get files. A link there, as an earlier run
            leaves one, may lead into the source of any set.
        archives: Folders that the set's archive unpacks to.

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
    """The first of several folders just below another that exists, in any case."""
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
    names: Collection[str], files: Container[str], folder: Path, listed_in: Path
) -> None:
    """Raise unless every name of a place is among the files of a folder."""
    missing = [name for name in names if name not in files]
    if missing:
        raise DuGIError(
            f'{missing[0]} of {listed_in} is not in {folder} ({len(missing)} of '
            f'{len(names)} are not): copy the complete set, or remove it there'
        )


def check_disjoint(splits: Mapping[str, Iterable[str]], place: Path) -> None:
    """Raise if a name is in several splits, which are those of a place."""
    for (one, names), (other, others) in itertools.combinations(splits.items(), 2):
        if both := set(names) & set(others):
            raise DuGIError(
                f'{min(both)} is in both {one} and {other} of {place}: remove it from '
                'one of them'
            )


def write_png(pixels: ndarray, path: Path) -> None:
    """Write ``(H, W)`` uint8 pixels as a grey PNG, atomically."""
    atomic_write(cv2.imencode('.png', pixels)[1].tobytes(), path, sync=False)


def write_names(names: Iterable[str], path: Path) -> bytes:
    """Write a list, one name a line, atomically; gives what is in the file."""
    content = ''.join(f'{name}\n' for name in names).encode()
    atomic_write(content, path)
    return content


def remove_files(paths: Iterable[Path]) -> list[str]:
    """Remove those files of an earlier run that exist; gives lines to print."""
    found = [path for path in paths if path.exists()]
    for path in found:
        path.unlink()
    return [f'{path} of an earlier run removed' for path in found]


def link_folder(folder: Path, link: Path) -> str:
    """Link to a folder of the source, replacing an earlier link; a line to print."""
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise DuGIError(f'{link} is in the way of a link to SRC: name another OUT')
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(folder.resolve(), target_is_directory=True)
    return f'{link} -> {folder.resolve()}'
