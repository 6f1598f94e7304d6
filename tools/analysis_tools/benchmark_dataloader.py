"""Count the images a second that a config's training loader gives, without a model.

Decoding, augmentation and collation are the real ones. Each number of workers reads the
same number of images after a warm-up. Prints a table and, with --out, writes JSON.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time
from pathlib import Path

import torch
from benchmark import machine, report
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader
from tqdm import tqdm

from dugi_mae.cli import CFG_OPTIONS, at_least, override, read_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.mm.config_errors import config_errors


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    settings.update(num_workers=workers, persistent_workers=workers > 0)
    settings.pop('prefetch_factor', None)
    scope = config.get('default_scope', 'mmengine')
    with config_errors(config), DefaultScope.overwrite_default_scope(scope):
        return Runner.build_dataloader(settings, seed=0)


def images_per_second(loader: DataLoader, images: int, warm_up: int) -> float:
    """Rate over whole batches of at least ``images`` images, of as many epochs."""
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for _ in itertools.islice(batches, warm_up):
        pass
    count = -(-images // loader.batch_size)
    timed = itertools.islice(batches, count)
    start = time.perf_counter()
    for _ in tqdm(timed, f'{loader.num_workers} workers', count, leave=False):
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
    rows = []
    for workers in args.workers:
        loader = build(config, workers)
        rate = images_per_second(loader, args.images, args.warm_up)
        rows.append({'workers': workers, 'images/s': rate})
    report(dict(machine=machine(torch.device('cpu')), rows=rows), args.out)


if __name__ == '__main__':
    run_cli(main)
