"""Take the thermal images of MFNet out of the fourth channel of its files.

That takes new images: OUT/thermal/*.png. The label maps stay where they are: OUT/labels
is a link to them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.converters.mfnet import convert
from dugi_mae.cli import run_cli


def main() -> None:
    """Convert and print what was counted and written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder that holds images and labels'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    args = parser.parse_args()
    print(*convert(args.source, args.out), sep='\n')


if __name__ == '__main__':
    run_cli(main)
