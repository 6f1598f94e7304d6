"""Convert the infrared half of M3FD to COCO.

There is no official split: one is drawn from a seed, the same on every machine, and its
lists are written to OUT/splits with a record of their hashes. The images stay where
they are: OUT/images is a link to SRC.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.converters.m3fd import convert
from dugi_mae.errors import DuGIError
from dugi_mae.cli import run_cli


def main() -> None:
    """Convert and print what was counted and written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder that holds Ir and Annotation'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    drawn = parser.add_argument_group('drawn split')
    drawn.add_argument(
        '--val-fraction',
        type=float,
        default=argparse.SUPPRESS,
        help='share of images for validation (default: 0.2)',
    )
    drawn.add_argument(
        '--seed',
        type=int,
        default=argparse.SUPPRESS,
        help='another seed is another split (default: 0)',
    )
    parser.add_argument(
        '--splits',
        type=Path,
        metavar='FOLDER',
        help='use train.txt and val.txt (and test.txt) of this folder instead',
    )
    args = vars(parser.parse_args())
    source, out, lists = (args.pop(key) for key in ('source', 'out', 'splits'))
    if lists is not None and args:  # what is left is for a drawn split
        flags = ' and '.join(f'--{key.replace("_", "-")}' for key in args)
        raise DuGIError(f'--splits leaves nothing to draw: give it without {flags}')
    print(*convert(source, out, lists=lists, **args), sep='\n')


if __name__ == '__main__':
    run_cli(main)
