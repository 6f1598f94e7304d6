"""Check a folder of images: find the files that training could not use.

Each image is read as pre-training reads it. Exits with 1 if a file is bad.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from processes import Crash, map_despite_crashes
from tqdm import tqdm

from dugi_mae.cli import at_least, run_cli
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.files import atomic_write, find_images
from dugi_mae.images import InfraredReader
from dugi_mae.images.reading import decode, read_bytes


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


def check_image(path: str) -> Facts | dict:
    """Read a file as pre-training does; a bad one gives path, reason and message."""
    try:
        image = decode(read_bytes(path), path)
        InfraredReader().convert(image, path)
    except BadImageError as error:
        return dict(path=path, reason=error.reason, message=str(error))
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
        DuGIError: If the folder does not exist, is a file or holds no image.
    """
    if folder.is_file():
        raise DuGIError(f'{folder} is a file: name the folder that it lies in')
    paths = [str(folder / path) for path in find_images(folder)]
    bad: list[dict] = []
    sizes, pixel_types, channels = Counter(), Counter(), Counter()
    results = map_despite_crashes(check_image, paths, min(jobs, len(paths)))
    for path, result in tqdm(results, 'checking', len(paths), unit='image'):
        if isinstance(result, Facts):
            sizes[f'{result.width}x{result.height}'] += 1
            pixel_types[result.pixel_type] += 1
            channels[str(result.channels)] += 1
        elif isinstance(result, Crash):
            message = (
                f'{path} crashes the process that reads it (exit code {result.code}): '
                'remove it'
            )
            bad.append(dict(path=path, reason='crash', message=message))
        else:
            bad.append(result)
    return dict(
        folder=str(folder),
        files=len(paths),
        bad=len(bad),
        reasons=dict(Counter(file['reason'] for file in bad).most_common()),
        bad_files=sorted(bad, key=lambda file: file['path']),
        sizes=dict(sizes.most_common()),
        pixel_types=dict(pixel_types.most_common()),
        channels=dict(channels.most_common()),
    )


def listed(counts: dict[str, int], most: int = 5) -> str:
    """The most frequent entries in words."""
    words = [f'{name} ({count})' for name, count in list(counts.items())[:most]]
    return ', '.join(words) + (', ...' if len(counts) > most else '')


def main() -> None:
    """Check, write the report, print a summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='tree of images')
    parser.add_argument(
        '--jobs', type=at_least(1), default=os.cpu_count(), help='number of processes'
    )
    parser.add_argument(
        '--out',
        metavar='OUT',
        type=Path,
        default=Path('verify_report.json'),
        help='report to write, JSON (default: %(default)s)',
    )
    args = parser.parse_args()
    report = verify_folder(args.folder, args.jobs)
    atomic_write((json.dumps(report, indent=1) + '\n').encode(), args.out)
    print(f'{report["files"]} images, {report["bad"]} bad')
    for key in ('reasons', 'sizes', 'pixel_types', 'channels'):
        if report[key]:
            print(f'{key.replace("_", " ")}: {listed(report[key])}')
    print(f'report: {args.out}')
    if report['bad']:
        sys.exit(1)


if __name__ == '__main__':
    run_cli(main)
