"""Convert a published MCMAE, InfMAE or DuGI-MAE checkpoint to ours.

Every tensor of SRC is used or left out for a reason that is printed; a tensor that is
unknown, missing or of the wrong shape ends the conversion.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dugi_mae.checkpoints.convert import (
    DROPPED,
    TARGETS,
    Conversion,
    convert_state_dict,
)
from dugi_mae.checkpoints.io import write_checkpoint
from dugi_mae.checkpoints.published import HEAD_WIDTH, read_published
from dugi_mae.cli import run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.models.backbones.arch import ARCHS
from dugi_mae.version import __version__


def parse_args() -> argparse.Namespace:
    """Parse ``convert_checkpoint.py SRC DST [--to TARGET] [--trust]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', metavar='SRC', help='published checkpoint')
    parser.add_argument('destination', metavar='DST', help='file to write')
    parser.add_argument(
        '--to',
        choices=TARGETS,
        default='backbone',
        help='backbone (the default): the encoder, for fine-tuning; pretrain: encoder, '
        'decoder and the embedding that scores tokens',
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='run the code that SRC contains, where it is refused otherwise: only for '
        'a file whose maker you know',
    )
    return parser.parse_args()


def summary(conversion: Conversion, target: str) -> Iterator[str]:
    """Lines that say what became of every tensor."""
    source = conversion.source
    yield (
        f'{source.kind} checkpoint: arch={source.arch_text}, '
        f'in_channels={source.in_channels}, img_size={source.img_size}'
    )
    if source.arch not in ARCHS.values():
        yield f'num_heads is not in the weights: {HEAD_WIDTH} channels a head assumed'
    if target == 'pretrain':
        yield (
            f'decoder: decoder_embed_dims={source.decoder_width}, '
            f'decoder_depth={source.decoder_depth}'
        )
    parts = Counter(name.split('.')[0] for name in conversion.mapped.values())
    if target == 'backbone':
        parts = {'under the same names': len(conversion.mapped)}
    rows = [('mapped', count, part) for part, count in parts.items()]
    layers = 'LayerScale, multiplied into blocks3.*.attn.proj and mlp.fc2'
    rows.append(('mapped', len(conversion.folded), layers))
    for pattern, reason in DROPPED[target].items():
        names = [key for key, found in conversion.dropped.items() if found == pattern]
        text = f'{pattern}: {reason} ({" ".join(names)})'
        rows.append(('dropped', len(names), text))
    rows.append(('fresh', len(conversion.fresh), 'guidance: newly drawn'))
    yield from (f'{what:8} {n:7}  {text}' for what, n, text in rows if n)


def main() -> None:
    """Convert, print what became of every tensor, write."""
    args = parse_args()
    source, destination = Path(args.source), Path(args.destination)
    state_dict = read_published(source, args.trust)
    if destination.exists() and destination.samefile(source):
        raise DuGIError(f'{destination} is SRC itself: name another file to write')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            conversion = convert_state_dict(state_dict, args.to)
    except DuGIError as error:
        raise DuGIError(f'{source}: {error}') from error
    print(*summary(conversion, args.to), sep='\n')
    for warning in caught:
        print(f'WARNING: {warning.message}')
    meta = dict(
        dugi_mae_version=__version__,
        converted_from=source.name,
        kind=conversion.source.kind,
        to=args.to,
        arch=conversion.source.arch._asdict(),
        fresh=conversion.fresh,
    )
    digest = write_checkpoint(
        dict(state_dict=conversion.state_dict, meta=meta), destination
    )
    print(f'{destination} written, sha256 {digest}')


if __name__ == '__main__':
    run_cli(main)
