"""Check IRSTD-1k, bring its masks to one form and write its split lists.

The images stay where they are: OUT/images is a link to them. OUT/masks/*.png are
new, of one channel with 0 and 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.converters.irstd1k import convert
from dugi_mae.cli import run_cli


def main() -> None:
    """Convert and print what was counted and written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder that holds IRSTD1k_Img'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    parser.add_argument(
        '--train',
        type=Path,
        metavar='FILE',
        help='training list, one name a line; by default that of SRC',
    )
    parser.add_argument(
        '--test', type=Path, metavar='FILE', help='test list; goes with --train'
    )
    args = parser.parse_args()
    print(*convert(args.source, args.out, args.train, args.test), sep='\n')


if __name__ == '__main__':
    run_cli(main)
