"""Check MSRS and write down its split.

The images stay where they are: OUT gets links to the infrared images and the label maps
of SRC, and the lists of the official split.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.converters.msrs import convert
from dugi_mae.cli import run_cli


def main() -> None:
    """Convert and print what was counted and written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder that holds train and test'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    parser.add_argument(
        '--subset', action='store_true', help='accept a part of the 1083 + 361 images'
    )
    args = parser.parse_args()
    print(*convert(args.source, args.out, args.subset), sep='\n')


if __name__ == '__main__':
    run_cli(main)
