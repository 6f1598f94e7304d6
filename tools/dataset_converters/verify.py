"""Check a folder of images: find the files that training could not use.

Each image is read as pre-training reads it. Exits with 1 if a file is bad.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from dugi_mae.converters.files import write_text
from dugi_mae.mm.datasets.verify import verify_folder
from dugi_mae.cli import run_cli


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
        '--jobs', type=int, default=os.cpu_count(), help='number of processes'
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
    write_text(json.dumps(report, indent=1) + '\n', args.out)
    print(f'{report["files"]} images, {report["bad"]} bad')
    for key in ('reasons', 'sizes', 'pixel_types', 'channels'):
        if report[key]:
            print(f'{key.replace("_", " ")}: {listed(report[key])}')
    print(f'report: {args.out}')
    if report['bad']:
        sys.exit(1)


if __name__ == '__main__':
    run_cli(main)
