"""Count the images a second that a config's training loader gives, without a model.

Decoding, augmentation and collation are the real ones. Each number of workers reads the
same number of images after a warm-up. Prints a table and, with --out, writes JSON.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from benchmark import machine, write_json
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader
from tqdm import tqdm

from dugi_mae.cli import CFG_OPTIONS, at_least, override, read_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.mm.config_errors import config_errors


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='any config with a train_dataloader')
    parser.add_argument(
        '--workers',
        type=at_least(0),
        nargs='+',
        default=[0, 1, 2],
        help='processes, 0 1 2',
    )
    parser.add_argument(
        '--images', type=at_least(1), default=2000, help='timed images, 2000'
    )
    parser.add_argument(
        '--warm-up', type=at_least(0), default=2, help='batches before, 2'
    )
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    return parser.parse_args()


def build(config: Config, workers: int) -> DataLoader:
    """The config's training loader with another number of workers."""
    settings = copy.deepcopy(config.train_dataloader)
    settings.num_workers = workers
    settings.persistent_workers = workers > 0
    settings.pop('prefetch_factor', None)
    scope = config.get('default_scope', 'mmengine')
    with config_errors(config), DefaultScope.overwrite_default_scope(scope):
        return Runner.build_dataloader(settings, seed=0)


def forever(loader: DataLoader) -> Iterator[Any]:
    """Batches of epoch after epoch."""
    while True:
        yield from loader


def images_per_second(loader: DataLoader, images: int, warm_up: int) -> float:
    """Rate over whole batches of at least ``images`` images."""
    batches = forever(loader)
    for _ in islice(batches, warm_up):
        pass
    count = -(-images // loader.batch_size)
    label = f'{loader.num_workers} workers'
    start = time.perf_counter()
    for _ in tqdm(islice(batches, count), label, count, leave=False, unit='batch'):
        pass
    return count * loader.batch_size / (time.perf_counter() - start)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    config = read_config(args.config)
    override(config, args.cfg_options)
    if config.get('train_dataloader') is None:
        raise DuGIError(f'{args.config} has no train_dataloader: name another config')
    # The workers share the cores with nobody; one thread each, as in training.
    torch.set_num_threads(1)
    rates = {
        workers: images_per_second(build(config, workers), args.images, args.warm_up)
        for workers in args.workers
    }
    console = Console(width=100)
    device = machine(torch.device('cpu'))
    console.print(', '.join(f'{key} {value}' for key, value in device.items()))
    first = next(iter(rates.values()))
    table = Table('workers', 'images/s', 'ratio to the first')
    for workers, rate in rates.items():
        table.add_row(str(workers), f'{rate:.0f}', f'{rate / first:.2f}')
    console.print(table)
    write_json(
        dict(
            machine=device,
            config=Path(args.config).stem,
            batch_size=config.train_dataloader.batch_size,
            images=args.images,
            images_per_second=rates,
        ),
        args.out,
    )


if __name__ == '__main__':
    run_cli(main)
