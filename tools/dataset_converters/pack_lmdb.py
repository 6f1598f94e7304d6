"""Pack a folder of images into one LMDB, for disks that are slow with many files.

Files keep their bytes and names. Give the result as data_root in place of the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.cli import run_cli
from dugi_mae.files import find_images
from dugi_mae.mm.datasets.lmdb import pack_lmdb


def main() -> None:
    """Pack and say how much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='tree of images')
    parser.add_argument('out', metavar='OUT', type=Path, help='OUT.lmdb, replaced')
    args = parser.parse_args()
    names = find_images(args.folder)
    pack_lmdb(args.folder, names, args.out)
    size = (args.out / 'data.mdb').stat().st_size
    print(f'{args.out}: {len(names)} images, {size / 2**20:.0f} MiB')


if __name__ == '__main__':
    run_cli(main)
