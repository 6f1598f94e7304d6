"""Convert FLIR ADAS (aligned, version 1 or version 2) to COCO.

Which release it is shows by its files. The images stay where they are: OUT/images is
a link to SRC.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.converters.flir import convert
from dugi_mae.cli import run_cli


def main() -> None:
    """Convert and print what was counted and written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder of the release'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    args = parser.parse_args()
    print(*convert(args.source, args.out), sep='\n')


if __name__ == '__main__':
    run_cli(main)
