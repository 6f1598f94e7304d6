"""Convert an infrared data set as released to what the hosts' data sets read.

    python tools/dataset_converters/convert_dataset.py hit-uav SRC OUT

Detection sets become COCO (OUT/annotations/SPLIT.json over OUT/images), segmentation
sets images with label maps and split lists. Files of SRC stay where they are: OUT has
links to its folders. Only dronevehicle (white borders cut off), mfnet (thermal out of
the fourth channel) and irstd1k (masks of 0 and 1) write new images.
"""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

from dugi_mae.cli import run_cli
from dugi_mae.converters import CONVERTERS, convert
from dugi_mae.errors import DuGIError


def parse_args() -> dict:
    """Parse ``convert_dataset.py NAME SRC OUT``, without options that are not given."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('name', metavar='NAME', choices=CONVERTERS, help='%(choices)s')
    parser.add_argument(
        'source', metavar='SRC', type=Path, help='folder of the set as released'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to write to')
    parser.add_argument(
        '--splits',
        type=Path,
        metavar='FOLDER',
        help='m3fd: use train.txt and val.txt (and test.txt) of this folder instead of '
        'drawing a split, the same on every machine; there is no official one',
    )
    parser.add_argument(
        '--subset',
        action='store_true',
        help='msrs: accept a part of the 1083 + 361 images',
    )
    return vars(parser.parse_args())


def main() -> None:
    """Convert and print what was counted and written."""
    options = parse_args()
    name = options['name']
    known = inspect.signature(CONVERTERS[name].function).parameters
    for option in options.keys() - {'name', 'source', 'out'} - known.keys():
        flag = option.replace('_', '-')
        raise DuGIError(f'--{flag} is no option of {name}: omit it')
    print(*convert(**options), sep='\n')


if __name__ == '__main__':
    run_cli(main)
