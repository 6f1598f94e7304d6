"""Time the dense encoder on large images: global against windowed attention.

All forms share one set of weights. Prints a table and, with --out, writes JSON.
"""

from __future__ import annotations

import argparse
import math
import statistics
from typing import Any

import torch
from benchmark import (
    add_common_arguments,
    interleave,
    machine,
    peak_memory,
    ratio,
    report,
)
from torch import Tensor, nn

from dugi_mae.apis.build import pick_device
from dugi_mae.cli import at_least, run_cli
from dugi_mae.models import ConvViT

#: Arguments of ConvViT that make the forms; the first is the baseline.
FORMS = {
    'global': {},
    'windows, four global blocks': dict(window_size=16),
    'windows only': dict(window_size=16, global_blocks=()),
}


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--arch', default='base', help='tiny, small, base or large')
    parser.add_argument(
        '--sizes',
        type=at_least(1),
        nargs='+',
        default=[512, 724, 1024],
        help='sides in pixels',
    )
    parser.add_argument('--batch-size', type=at_least(1), default=1, help='images, 1')
    add_common_arguments(parser)
    return parser.parse_args()


def build(arch: str, device: torch.device) -> dict[str, nn.Module]:
    """The encoder in all forms."""
    models = {name: ConvViT(arch, **form) for name, form in FORMS.items()}
    for model in models.values():
        model.load_state_dict(models['global'].state_dict())
        model.to(device).eval()
    return models


def measure(args: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """A row for each size and form."""
    models = build(args.arch, device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=args.bf16)

    def forward(model: nn.Module, images: Tensor) -> None:
        with torch.inference_mode(), autocast:
            model(images)

    rows = []
    for size in args.sizes:
        images = torch.randn(args.batch_size, 3, size, size, device=device)
        cases = {
            name: lambda model=model, images=images: forward(model, images)
            for name, model in models.items()
        }
        times = interleave(cases, args.rounds, device)
        # Images are padded to multiples of 32 pixels; a token is 16 wide.
        tokens = args.batch_size * math.ceil(size / 32) ** 2 * 4
        for name, case in cases.items():
            memory = peak_memory(case, device)
            rows.append(
                {
                    'side': size,
                    'tokens': tokens,
                    'attention': name,
                    's': statistics.median(times[name]),
                    'ratio': ratio(times['global'], times[name]),
                    'peak, MiB': memory / 2**20,
                    'KiB a token': memory / tokens / 2**10,
                }
            )
    return rows


def main() -> None:
    """Run the tool."""
    args = parse_args()
    device = pick_device(args.device)
    settings = dict(arch=args.arch, batch_size=args.batch_size, bf16=args.bf16)
    rows = measure(args, device)
    report(dict(machine=machine(device), **settings, rows=rows), args.out)


if __name__ == '__main__':
    run_cli(main)
