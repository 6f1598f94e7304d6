"""Check a folder of images: find the files that training could not use.

Each image is read as pre-training reads it. Good files that other programs may read
differently are listed, too. Exits with 1 if a file is bad.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

from processes import Crash, map_despite_crashes
from tqdm import tqdm

from dugi_mae.cli import at_least, run_cli
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.files import atomic_write, find_images
from dugi_mae.images import InfraredReader
from dugi_mae.images.reading import decode, read_bytes, remarks

#: What a good file stores, in the order of :func:`check_image`.
FACTS = ('sizes', 'pixel_types', 'channels')


def check_image(path: str) -> tuple[tuple[str, ...], list[str]] | dict:
    """Read a file as pre-training does.

    Returns:
        Size, pixel type and channels such as ``('640x512', 'uint16', '1')``, and what
        is odd about the file; of a bad file path, reason and message.
    """
    try:
        content = read_bytes(path)
        image = decode(content, path)
        InfraredReader().decode(content, path)
    except BadImageError as error:
        return dict(path=path, reason=error.reason, message=str(error))
    height, width, *channels = image.shape
    depth = channels[0] if channels else 1
    facts = f'{width}x{height}', str(image.dtype), str(depth)
    return facts, remarks(content)


def verify_folder(folder: Path, jobs: int) -> dict:
    """Check every image below a folder, with a progress bar.

    Args:
        folder: Any tree, as for :class:`dugi_mae.mm.datasets.InfraredPretrainDataset`.
        jobs: Number of processes. A file that crashes its process is bad.

    Returns:
        ``folder``, ``files`` and ``bad`` (counts), ``reasons``, ``bad_files`` (a list
        of ``path``, ``reason`` and ``message``, sorted), and of the good files
        ``odd_files`` (``path`` and ``reasons``), ``remarks`` (counts of these) and
        :data:`FACTS`, each with its counts. JSON can hold it.

    Raises:
        DuGIError: If the folder does not exist, is a file or holds no image.
    """
    if folder.is_file():
        raise DuGIError(f'{folder} is a file: name the folder that it lies in')
    paths = [str(folder / path) for path in find_images(folder)]
    bad: list[dict] = []
    odd: list[dict] = []
    facts = {name: Counter() for name in FACTS}
    results = map_despite_crashes(check_image, paths, min(jobs, len(paths)))
    for path, result in tqdm(results, 'checking', len(paths), unit='image'):
        if isinstance(result, Crash):
            message = (
                f'{path} crashes the process that reads it (exit code {result.code}): '
                'remove it'
            )
            bad.append(dict(path=path, reason='crash', message=message))
        elif isinstance(result, dict):
            bad.append(result)
        else:
            stored, reasons = result
            for name, value in zip(FACTS, stored, strict=True):
                facts[name][value] += 1
            if reasons:
                odd.append(dict(path=path, reasons=reasons))
    facts['reasons'] = Counter(file['reason'] for file in bad)
    facts['remarks'] = Counter(reason for file in odd for reason in file['reasons'])
    return dict(
        folder=str(folder),
        files=len(paths),
        bad=len(bad),
        bad_files=sorted(bad, key=lambda file: file['path']),
        odd_files=sorted(odd, key=lambda file: file['path']),
        **{name: dict(counts.most_common()) for name, counts in facts.items()},
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
    for key in ('reasons', 'remarks', *FACTS):
        if report[key]:
            print(f'{key.replace("_", " ")}: {listed(report[key])}')
    print(f'report: {args.out}')
    if report['bad']:
        sys.exit(1)


if __name__ == '__main__':
    run_cli(main)
