"""Prepare a training checkpoint for other people: smaller, safe to read, named by hash.

Keeps the weights and what the hosts' inferencers ask for, the classes. Optimizer, logs
and the config, which holds paths of this machine, are left out. The file gets the first
eight digits of its SHA-256 into its name, as in every OpenMMLab model zoo; of names
that begin with ``dugi-mae`` or ``irstd`` they are compared whenever it is loaded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae.checkpoints.io import find_tensors, read_checkpoint, write_checkpoint
from dugi_mae.cli import run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.version import __version__

#: Of mmengine's meta data: how far the training was, and class names and colours.
KEPT_META = ('epoch', 'iter', 'mmengine_version', 'dataset_meta')


def parse_args() -> argparse.Namespace:
    """Parse ``publish_model.py SRC DST``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', metavar='SRC', help='checkpoint of a training run')
    parser.add_argument(
        'destination', metavar='DST', help='file to write, .pth or .safetensors'
    )
    return parser.parse_args()


def main() -> None:
    """Read, keep what is needed, write, rename."""
    args = parse_args()
    destination = Path(args.destination)
    if destination.suffix not in ('.pth', '.safetensors'):
        raise DuGIError(f'DST {destination}: name a .pth or .safetensors file')
    content = read_checkpoint(args.source)
    if not isinstance(content.get('state_dict'), dict):
        raise DuGIError(
            f'checkpoint {args.source} has no state_dict: give one that a training run '
            'wrote, or convert_checkpoint.py for published files'
        )
    state_dict = find_tensors(content['state_dict'], args.source, keys=())
    kept = {'state_dict', 'meta', *state_dict}
    left_out = sorted(map(str, {*content, *content['state_dict']} - kept))
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    meta = {k: v for k, v in meta.items() if k in KEPT_META}
    meta['dugi_mae_version'] = __version__
    # DST itself may be SRC, or somebody's older file.
    draft = destination.with_name(f'.{destination.stem}.draft{destination.suffix}')
    digest = write_checkpoint(dict(state_dict=state_dict, meta=meta), draft)
    final = destination.with_name(
        f'{destination.stem}-{digest[:8]}{destination.suffix}'
    )
    draft.replace(final)
    print(
        f'{len(state_dict)} tensors kept; left out: {", ".join(left_out) or "nothing"}'
    )
    print(f'{final} written, {final.stat().st_size / 2**20:.1f} MiB, sha256 {digest}')


if __name__ == '__main__':
    run_cli(main)
