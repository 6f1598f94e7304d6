"""Finding what a released data set consists of, and where to put what we write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dugi_mae.files import IMAGE_EXTENSIONS
from dugi_mae.images.stored_size import stored_size
from dugi_mae.errors import DuGIError


def find_folder(root: Path, *names: str) -> Path:
    """The first of several folders that exists, in any case of letters.

    Args:
        root: Where to look.
        names: Names of a folder just below ``root``, in order of preference.

    Raises:
        DuGIError: If none exists; the message lists what is there.
    """
    here = subfolders(root)
    for name in names:
        if name.lower() in here:
            return here[name.lower()]
    found = ', '.join(sorted(path.name for path in here.values())[:8]) or 'none'
    raise DuGIError(
        f'folder {root} has no {" or ".join(names)} in it (folders there: {found}): '
        'correct SRC, or copy the set whole'
    )


def subfolders(root: Path) -> dict[str, Path]:
    """Folders just below a folder by their lower-case names.

    Raises:
        DuGIError: If ``root`` does not exist.
    """
    if not root.is_dir():
        raise DuGIError(f'folder {root} does not exist: correct SRC')
    return {path.name.lower(): path for path in root.iterdir() if path.is_dir()}


def step_into(root: Path, *names: str) -> Path:
    """The folder that an archive unpacks to, if ``root`` is the one around it."""
    here = subfolders(root)
    return next((here[name.lower()] for name in names if name.lower() in here), root)


def images_by_stem(folder: Path, remedy: str = 'correct SRC') -> dict[str, Path]:
    """The images of a folder (not below it) by their names without extension.

    Args:
        folder: Where to look; hidden files are left out.
        remedy: What the message advises where there is no such folder.

    Raises:
        DuGIError: If there is none.
    """
    if not folder.is_dir():
        raise DuGIError(f'folder {folder} does not exist: {remedy}')
    images = {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_EXTENSIONS and not path.name.startswith('.')
    }
    if not images:
        raise DuGIError(f'folder {folder} holds no image: copy the set there')
    return images


def image_size(path: Path) -> tuple[int, int]:
    """Width and height as the file's header states them.

    Raises:
        DuGIError: If the file is missing, cannot be read or is not an image.
    """
    try:
        with path.open('rb') as file:
            size = stored_size(file)
    except FileNotFoundError:
        raise DuGIError(f'image {path} does not exist: copy the set whole') from None
    except OSError as error:
        raise DuGIError(
            f'image {path} cannot be read ({error.strerror}): check that it is a file '
            'and that you may read it'
        ) from None
    if size is None:
        raise DuGIError(f'image {path} is damaged: copy it again')
    return size[:2]


def check_apart(
    folders: Mapping[str, Path], names: Mapping[str, Iterable[str]]
) -> None:
    """Raise if an image is in both official parts of a set.

    Args:
        folders: Those of ``'train'`` and ``'test'``, for the message.
        names: The images of each.
    """
    shared = sorted(set(names['train']) & set(names['test']))
    if shared:
        raise DuGIError(
            f'{shared[0]} is in both {folders["train"]} and {folders["test"]} '
            f'({len(shared)} images are): give the set as released'
        )


def check_out(source: Path, out: Path, *names: str) -> None:
    """Make sure that the source exists and that nothing will be written into one.

    Args:
        source: The source.
        out: Folder to write to.
        names: Folders below ``out`` that get files. A link there, as an earlier run
            leaves one, may lead into the source of any set.

    Raises:
        DuGIError: If the source is missing, ``out`` is a file or lies in the source, or
            one of the folders leads out of ``out``.
    """
    if not source.is_dir():
        raise DuGIError(f'folder {source} does not exist: correct SRC')
    if out.exists() and not out.is_dir():
        raise DuGIError(f'OUT {out} is a file: name a folder')
    for folder in (out, *(out / name for name in names)):
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
