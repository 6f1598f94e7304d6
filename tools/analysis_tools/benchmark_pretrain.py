"""Time a pre-training config: sparse encoder against the dense one, in one run.

Both forms share weights, images and masks, LayerNorm, attention, decoder and optimiser;
the dense one computes the convolutional stages on masked tokens too. Prints tables
and, with --out, writes JSON.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmark import (
    add_common_arguments,
    count_flops,
    interleave,
    machine,
    matmul_peak,
    peak_memory,
    ratio,
    write_json,
)
from mmengine.config import Config
from mmengine.logging import MMLogger
from pretrain_cases import STAGES, PretrainCases, random_images
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dugi_mae.apis.build import pick_device
from dugi_mae.cli import CFG_OPTIONS, at_least, override, read_config, run_cli
from dugi_mae.errors import DuGIError

IMPLS = ('dense', 'sparse')
#: What grows in the growth tables: batch sizes, sides in pixels, mask ratios.
GROWTH = dict(batch_size=(1, 4, 16), size=(160, 320), mask_ratio=(0.5, 0.9))


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='pre-training config')
    parser.add_argument('--batch-size', type=at_least(1), default=8, help='images, 8')
    parser.add_argument(
        '--size', type=at_least(1), default=224, help='side in pixels, 224'
    )
    parser.add_argument('--compile', action='store_true', help='torch.compile')
    parser.add_argument('--growth', action='store_true', help='growth tables too')
    add_common_arguments(parser)
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    return parser.parse_args()


def run_once(config: Config, impl: str, images: Tensor, args) -> None:
    """Build everything and take two steps: what a training holds at its peak."""
    model = PretrainCases(config, impl, images, args.bf16)
    for _ in range(2):
        model.step()


def grown(args: argparse.Namespace) -> Iterator[tuple[str, float, int, int, float]]:
    """Name and value of what is changed, then batch size, side and mask ratio."""
    for name, values in GROWTH.items():
        for value in values:
            point = dict(batch_size=args.batch_size, size=args.size, mask_ratio=0.75)
            point[name] = value
            yield name, value, *point.values()


def measure_growth(config: Config, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Step time of both forms at other batch sizes, resolutions and mask ratios."""
    rows = []
    device = pick_device(args.device)
    for name, value, batch_size, size, mask_ratio in grown(args):
        changed = copy.deepcopy(config)
        changed.model.masking.mask_ratio = mask_ratio
        images = random_images(config.model, batch_size, size, device)
        models = {
            impl: PretrainCases(changed, impl, images, args.bf16, args.compile)
            for impl in IMPLS
        }
        times = interleave({i: m.step for i, m in models.items()}, args.rounds, device)
        rows.append(
            dict(
                changed=name,
                value=value,
                images_per_second=batch_size / statistics.median(times['sparse']),
                ratio=ratio(times['dense'], times['sparse']),
                bytes=peak_memory(
                    lambda c=changed, i=images: run_once(c, 'sparse', i, args), device
                ),
            )
        )
    return rows


def measure(config: Config, args: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run."""
    device = pick_device(args.device)
    dtype = torch.bfloat16 if args.bf16 else torch.float32
    images = random_images(config.model, args.batch_size, args.size, device)
    models = {
        impl: PretrainCases(config, impl, images, args.bf16, args.compile)
        for impl in IMPLS
    }
    # Compiled code hides its operations from the counter.
    plain = {impl: PretrainCases(config, impl, images).cases() for impl in IMPLS}
    flops = {
        impl: {stage: count_flops(case) for stage, case in cases.items()}
        for impl, cases in plain.items()
    }
    stages, peaks = {}, []
    for stage in STAGES:
        cases = {impl: models[impl].cases()[stage] for impl in IMPLS}
        # In each round anew: the clock of a machine changes within seconds.
        near = []
        cases['peak'] = lambda near=near: near.append(matmul_peak(device, dtype))
        times = interleave(cases, args.rounds, device)
        rates = [flops['sparse'][stage] / seconds for seconds in times['sparse']]
        shares = [r / peak for r, peak in zip(rates, near[1:], strict=True)]
        peaks += near
        stages[stage] = dict(
            seconds={impl: statistics.median(times[impl]) for impl in IMPLS},
            ratio=ratio(times['dense'], times['sparse']),
            bound=flops['dense'][stage] / flops['sparse'][stage],
            flops=flops['sparse'][stage],
            flops_per_second=statistics.median(rates),
            share_of_peak=statistics.median(shares),
        )
    parts = models['sparse'].parts()
    times = interleave(parts | dict(step=models['sparse'].step), args.rounds, device)
    step = statistics.median(times.pop('step'))
    shares = {name: statistics.median(t) / step for name, t in times.items()}
    step_memory = {impl: peak_memory(models[impl].step, device) for impl in IMPLS}
    memory = {
        impl: peak_memory(lambda i=impl: run_once(config, i, images, args), device)
        for impl in IMPLS
    }
    return dict(
        machine=machine(device),
        config=Path(args.config).stem,
        batch_size=args.batch_size,
        size=args.size,
        dtype=str(dtype).removeprefix('torch.'),
        compiled=args.compile,
        rounds=args.rounds,
        matmul_flops_per_second=max(peaks),
        stages=stages,
        shares_of_step=shares,
        step_peak_bytes=step_memory,
        peak_bytes=memory,
        growth=measure_growth(config, args) if args.growth else [],
    )


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    console = Console(width=100)
    console.print(
        '{config}: {batch_size} images of {size}x{size}, {dtype}, '
        'compiled: {compiled}, medians of {rounds} rounds'.format(**figures)
    )
    console.print(', '.join(f'{k} {v}' for k, v in figures['machine'].items()))
    peak = figures['matmul_flops_per_second'] / 1e9
    console.print(f'matrix product: {peak:.0f} GFLOP/s')
    table = Table('', 'dense, s', 'sparse, s', 'ratio', 'bound', 'GFLOP/s', 'of peak')
    for stage, values in figures['stages'].items():
        table.add_row(
            stage,
            *(f'{values["seconds"][impl]:.3f}' for impl in IMPLS),
            f'{values["ratio"]:.2f}',
            f'{values["bound"]:.2f}',
            f'{values["flops_per_second"] / 1e9:.0f}',
            f'{values["share_of_peak"]:.0%}',
        )
    console.print(table)
    for name, share in figures['shares_of_step'].items():
        console.print(f'{name}: {share:.1%} of the sparse step')
    for key, what in (
        ('step_peak_bytes', 'memory that a step takes at its peak'),
        ('peak_bytes', 'with weights and optimiser'),
    ):
        dense, sparse = (figures[key][impl] for impl in IMPLS)
        console.print(
            f'{what}: dense {dense / 2**20:.0f} MiB, sparse {sparse / 2**20:.0f} MiB, '
            f'ratio {sparse / dense:.2f}'
        )
    if figures['growth']:
        table = Table('changed', 'value', 'images/s', 'ratio to dense', 'peak, MiB')
        for row in figures['growth']:
            table.add_row(
                row['changed'],
                str(row['value']),
                f'{row["images_per_second"]:.2f}',
                f'{row["ratio"]:.2f}',
                f'{row["bytes"] / 2**20:.0f}',
            )
        console.print(table)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    config = read_config(args.config)
    override(config, args.cfg_options)
    if config.model.get('backbone', {}).get('type') != 'MaskedConvViT':
        raise DuGIError(
            f'{args.config} does not pre-train a MaskedConvViT: name a config of '
            'configs/pretrain'
        )
    # The optimiser's constructor tells of every parameter.
    MMLogger.get_instance('benchmark', log_level='WARNING')
    figures = measure(config, args)
    show(figures)
    write_json(figures, args.out)


if __name__ == '__main__':
    run_cli(main)
