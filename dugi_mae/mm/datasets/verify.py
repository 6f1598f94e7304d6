"""Check a folder of images as the loader of pre-training would, in parallel."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from dugi_mae.mm.datasets.bad_files import BadFile
from dugi_mae.files import IMAGE_EXTENSIONS
from dugi_mae.mm.datasets.pretrain import find_images
from dugi_mae.mm.transforms.loading import LoadInfraredImage
from dugi_mae.images.reading import decode, read_bytes
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.utils.processes import Crash, map_despite_crashes


class Facts(NamedTuple):
    """What a good file stores.

    Attributes:
        width: In pixels.
        height: In pixels.
        pixel_type: Such as ``'uint16'``.
        channels: Of the file.
    """

    width: int
    height: int
    pixel_type: str
    channels: int


def check_image(path: str) -> Facts | BadFile:
    """Do what :class:`LoadInfraredImage` does with a file, and keep no pixel."""
    try:
        image = decode(read_bytes(path), path)
        LoadInfraredImage().convert(image, path)
    except BadImageError as error:
        return BadFile(path, error.reason, str(error))
    height, width = image.shape[:2]
    return Facts(width, height, str(image.dtype), image.size // (height * width))


def verify_folder(folder: Path, jobs: int) -> dict:
    """Check every image below a folder, with a progress bar.

    Args:
        folder: Any tree, as for :class:`dugi_mae.mm.datasets.InfraredPretrainDataset`.
        jobs: Number of processes. A file that crashes its process is bad.

    Returns:
        ``folder``, ``files`` and ``bad`` (counts), ``reasons``, ``bad_files`` (a list
        of ``path``, ``reason`` and ``message``, sorted), and of the good files
        ``sizes`` (counts by ``WIDTHxHEIGHT``, most frequent first), ``pixel_types``
        and ``channels``. JSON can hold it.

    Raises:
        DuGIError: If the folder does not exist, is none or holds no image.
    """
    if jobs < 1:
        raise DuGIError(f'jobs={jobs} must be at least 1')
    if not folder.is_dir():
        if folder.exists():
            raise DuGIError(f'{folder} is no folder: give the one that it lies in')
        raise DuGIError(f'folder {folder} does not exist: correct its name')
    paths = [str(folder / path) for path in find_images(folder, IMAGE_EXTENSIONS)]
    bad: list[BadFile] = []
    sizes, pixel_types, channels = Counter(), Counter(), Counter()
    results = map_despite_crashes(check_image, paths, min(jobs, len(paths)))
    for path, result in tqdm(results, 'checking', len(paths), unit='image'):
        if isinstance(result, Facts):
            sizes[f'{result.width}x{result.height}'] += 1
            pixel_types[result.pixel_type] += 1
            channels[str(result.channels)] += 1
            continue
        if isinstance(result, Crash):
            message = f'{path} ends the process that reads it (exit code {result.code})'
            result = BadFile(path, 'crash', f'{message}: remove it')
        bad.append(result)
    return dict(
        folder=str(folder),
        files=len(paths),
        bad=len(bad),
        reasons=dict(Counter(file.reason for file in bad).most_common()),
        bad_files=[file._asdict() for file in sorted(bad)],
        sizes=dict(sizes.most_common()),
        pixel_types=dict(pixel_types.most_common()),
        channels=dict(channels.most_common()),
    )
