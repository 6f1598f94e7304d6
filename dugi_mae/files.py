"""Files and folders: atomic writing, trees of images, text files that list images."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dugi_mae.errors import DuGIError

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
#: Suffix of unfinished files.
TEMPORARY_SUFFIX = '.writing'


def make_folder(path: str | Path) -> Path:
    """Create an output folder and its parents unless they exist.

    Raises:
        DuGIError: If that is not possible, such as where a file has its name.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DuGIError(
            f'output folder {path} cannot be created ({error.strerror}): choose '
            'another one'
        ) from None
    return path


def atomic_write(content: bytes, path: str | Path, sync: bool = True) -> None:
    """Write a file under a temporary name, sync it to the disk, then rename it.

    The operating system renames in one step: whenever the process is killed, the file
    is complete or what it was before.

    Args:
        content: All of it.
        path: The file; its folder is created.
        sync: Outlast a power failure, too. Without, many small files are faster.

    Raises:
        DuGIError: If the disk is full or the folder cannot be written to; an older file
            is left as it was.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open('wb') as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise DuGIError(
            f'{path} cannot be written ({error.strerror}): free disk space or choose '
            'another folder'
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power failure, where folders can be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def walk_files(folder: Path) -> Iterator[str]:
    """Yield every file below a folder, links followed, hidden ones left out.

    Args:
        folder: Where to look.

    Yields:
        Paths relative to ``folder`` with forward slashes, in no useful order.
    """
    seen = set()  # a folder linked into itself would never end
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        prefix = Path(parent).relative_to(folder).as_posix()
        prefix = '' if prefix == '.' else f'{prefix}/'
        yield from (prefix + name for name in files if not name.startswith('.'))


def find_images(
    folder: Path, extensions: Sequence[str] = IMAGE_EXTENSIONS
) -> list[str]:
    """List the images below a folder.

    Args:
        folder: Where to look.
        extensions: Lower-case file extensions with their dot; case is ignored.

    Returns:
        Sorted paths relative to ``folder``, with forward slashes.

    Raises:
        DuGIError: If the folder does not exist or holds no image.
    """
    if not folder.is_dir():
        raise DuGIError(f'data folder {folder} does not exist: correct data_root')
    found = sorted(walk_files(folder))
    images = [path for path in found if path.lower().endswith(tuple(extensions))]
    if not images:
        others = Counter(os.path.splitext(path)[1].lower() or 'none' for path in found)
        told = ', '.join(f'{suffix} ({n})' for suffix, n in others.most_common(8))
        raise DuGIError(
            f'data folder {folder} holds no image: looked for {" ".join(extensions)}, '
            f'found {told or "no file"}; correct data_root or set extensions'
        )
    return images


def files_by_name(
    folder: Path,
    remedy: str = 'correct SRC',
    extensions: Sequence[str] = IMAGE_EXTENSIONS,
) -> dict[str, Path]:
    """The files below a folder by their relative paths without extension.

    Sequences number their frames alike: ``seq1/0`` and ``seq2/0`` are two names.

    Args:
        folder: Where to look; hidden files are left out.
        remedy: What the message advises where there is no such folder.
        extensions: Lower-case file extensions with their dot; case is ignored.

    Returns:
        Sorted; names have forward slashes.

    Raises:
        DuGIError: If there is none, or two differ in their extension only.
    """
    if not folder.is_dir():
        raise DuGIError(f'folder {folder} does not exist: {remedy}')
    files: dict[str, Path] = {}
    for path in sorted(walk_files(folder)):
        name = without_extension(path, extensions)
        if name == path:
            continue
        if name in files:
            raise DuGIError(
                f'{files[name]} and {folder / path} differ in their extension only: '
                'remove or rename one of them'
            )
        files[name] = folder / path
    if not files:
        kind = 'image' if extensions is IMAGE_EXTENSIONS else ' or '.join(extensions)
        raise DuGIError(f'folder {folder} holds no {kind}: copy the set there')
    return files


def find_label(
    name: str, labels: Mapping[str, Path], endings: Sequence[str] = ('',)
) -> Path | None:
    """The label file of an image: the same relative path, then one of the endings.

    Args:
        name: Of the image, as in :func:`files_by_name`.
        labels: What that gave for the folder of labels.
        endings: What may stand between name and extension.

    Raises:
        DuGIError: If there are several.
    """
    found = [labels[name + ending] for ending in endings if name + ending in labels]
    if len(found) > 1:
        raise DuGIError(
            f'image {name} may belong to {found[0]} or {found[1]}: remove one of them'
        )
    return found[0] if found else None


def without_extension(name: str, extensions: Sequence[str] = IMAGE_EXTENSIONS) -> str:
    """A name without its extension, if that is a known one; other dots are kept."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in extensions else name


def read_lines(path: str | Path, what: str, remedy: str) -> list[str]:
    """Lines of a UTF-8 text file that are not blank, stripped.

    Args:
        path: The file.
        what: What messages call it.
        remedy: What they advise where it cannot be read.

    Raises:
        DuGIError: If it is missing, not text, or empty.
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
        raise DuGIError(f'{what} {path} is not UTF-8 text: {remedy}')
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DuGIError(f'{what} {path} is empty: write one image name per line')
    return lines


def listed_names(line: str) -> tuple[str, str]:
    """What a line of a list may mean: all of it, or its first column.

    Backslashes, of lists that were made on Windows, become slashes.
    """
    line = line.replace('\\', '/')
    return line, line.split()[0]


def found_instead(folder: Path, name: str) -> str:
    """Files of a folder that may be meant by a name, for messages; often none."""
    path = folder / name
    if not path.parent.is_dir():
        return ''
    beginnings = tuple(path.name + c for c in '._-')
    found = sorted(p.name for p in path.parent.iterdir())
    found = [other for other in found if other.startswith(beginnings)]
    return f' (found {", ".join(found[:4])})' if found else ''


def find_listed(
    lines: Iterable[str], paths: Iterable[str], ann_file: str, folder: Path
) -> list[str]:
    """The images that the lines of a list mean, in its order.

    A line holds a path relative to ``folder`` or to the folder around it, or just an
    image's name. The extension is optional, further columns are ignored.

    Args:
        lines: As :func:`read_lines` gives them.
        paths: All images, relative to their folder, with forward slashes.
        ann_file: The list, for messages.
        folder: The folder of the images.

    Returns:
        Some of ``paths``.

    Raises:
        DuGIError: If an image is missing or listed twice, or a name fits several.
    """
    # By rank: an image directly in the folder needs but its name.
    known: dict[tuple[int, str], set[str]] = defaultdict(set)
    for path in paths:
        forms = path, f'{folder.name}/{path}', os.path.basename(path)
        for rank, name in enumerate(forms):
            known[rank, name].add(path)
            known[rank, without_extension(name)].add(path)
    listed: dict[str, str] = {}
    for line in lines:
        *_, column = texts = listed_names(line)
        keys = (
            (rank, name)
            for text in texts  # names may contain blanks
            for rank in range(3)
            for name in (text, without_extension(text))
        )
        meant = sorted(next((known[key] for key in keys if key in known), ()))
        if not meant:
            stem = without_extension(os.path.basename(column))
            raise DuGIError(
                f'image {column} of {ann_file} is not in {folder}'
                f'{found_instead(folder, stem)}: copy it there, as PNG, JPEG or TIFF, '
                'or remove it from the list'
            )
        if len(meant) > 1:
            raise DuGIError(
                f'image {column} of {ann_file} may be {meant[0]} or {meant[1]} of '
                f'{folder}: list it with its folder and extension'
            )
        if meant[0] in listed:
            raise DuGIError(
                f'image {column} of {ann_file} is {meant[0]}, which the line '
                f'{listed[meant[0]]!r} names as well: keep one of them'
            )
        listed[meant[0]] = line
    return list(listed)
