"""Writing what a conversion gives: each file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import cv2
from numpy import ndarray

from dugi_mae.errors import DuGIError


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file under another name and rename it; its folder is made.

    Raises:
        DuGIError: If that is not possible.
    """
    temporary = path.with_name(f'.{os.getpid()}.{path.name}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise DuGIError(
            f'{path} cannot be written ({error.strerror}): name another OUT'
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_text(text: str, path: Path) -> None:
    """Write a UTF-8 text file.

    Raises:
        DuGIError: If that is not possible.
    """
    write_bytes(text.encode('utf-8'), path)


def write_png(pixels: ndarray, path: Path) -> None:
    """Write a grey PNG.

    Args:
        pixels: ``(H, W)`` uint8.
        path: Where to.

    Raises:
        DuGIError: If that is not possible.
    """
    write_bytes(cv2.imencode('.png', pixels)[1].tobytes(), path)


def remove_file(path: Path) -> list[str]:
    """Remove a file that an earlier run left, if there is one.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If that is not possible.
    """
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
    """Make a link to a folder of the source, which stays where it is.

    A link from an earlier run is replaced.

    Returns:
        A line to print.

    Raises:
        DuGIError: If something else is in the way or links cannot be made there.
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
            f'link {link} cannot be made ({error.strerror}): name another OUT, '
            'on a disk that has symbolic links'
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return f'{link} -> {target}'
