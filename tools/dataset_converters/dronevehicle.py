"""Convert the infrared half of DroneVehicle to COCO with horizontal boxes.

The white border is cut off, which takes new images: OUT/images/SPLIT/*.png. Images that
an earlier run has written are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.converters.dronevehicle import convert
from dugi_mae.cli import run_cli


def main() -> None:
    """Convert and print what was counted and written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder that holds train, val and test'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    args = parser.parse_args()
    print(*convert(args.source, args.out), sep='\n')


if __name__ == '__main__':
    run_cli(main)
