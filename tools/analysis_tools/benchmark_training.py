"""Show where the time of training goes: runs steps of a config as tools/train.py does.

Whatever is not the model's own step counts as loop: data, hooks and logging. Nothing is
written but, with --out, the figures as JSON.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch
from benchmark import machine, report, synchronise
from mmengine.hooks import Hook
from mmengine.runner import Runner

from dugi_mae import enable_safe_loading
from dugi_mae.cli import CFG_OPTIONS, at_least, build_runner, load_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.mm.config_errors import config_errors


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='any config that trains')
    parser.add_argument('--steps', type=at_least(1), default=20, help='timed steps, 20')
    parser.add_argument(
        '--warm-up', type=at_least(1), default=5, help='steps before, 5'
    )
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    parser.set_defaults(launcher='none', local_rank=0)
    return parser.parse_args()


class Timing(Hook):
    """Times a step and its parts by wrapping the methods that the loop calls."""

    def __init__(self, device: torch.device, count: int) -> None:
        self.device, self.count = device, count
        self.steps: list[dict[str, float]] = []
        self.spent: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """Seconds, once the device has done what it was given."""
        synchronise(self.device)
        return time.perf_counter()

    def wrap(self, owner: object, method: str, part: str) -> None:
        """Add the time that a method takes to a part."""
        call = getattr(owner, method)

        def timed(*args, **kwargs):
            start = self.now()
            result = call(*args, **kwargs)
            self.spent[part] += self.now() - start
            return result

        setattr(owner, method, timed)

    def before_train(self, runner: Runner) -> None:
        """Wrap the methods; a compiled step is not cut into parts."""
        self.wrap(runner.model, 'train_step', 'step')
        if not runner.cfg.get('compile'):
            self.wrap(runner.model, 'forward', 'forward')
            self.wrap(runner.optim_wrapper, 'backward', 'backward')
            self.wrap(runner.optim_wrapper, 'step', 'optimizer')
        self.start = self.now()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Close the account of a step."""
        end = self.now()
        self.steps.append(dict(self.spent, whole=end - self.start))
        self.spent.clear()
        self.start = end
        if len(self.steps) == self.count:
            runner.train_loop.stop_training = True


def main() -> None:
    """Run the tool."""
    args = parse_args()
    count = args.warm_up + args.steps
    with tempfile.TemporaryDirectory() as args.work_dir:
        config = load_config(args)
        if config.get('train_cfg') is None:
            raise DuGIError(
                f'{args.config} has no train_cfg: name a config that trains'
            )
        # The schedule stays as it is; training ends early.
        iters = config.train_cfg.get('max_iters', count)
        config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=iters)
        config.log_level = 'WARNING'
        for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
            config[key] = None
        with enable_safe_loading(), config_errors(config):
            runner = build_runner(config)
            timing = Timing(next(runner.model.parameters()).device, count)
            runner.register_hook(timing, priority='LOWEST')
            runner.train()
    steps = timing.steps[args.warm_up :]
    whole = statistics.median(step['whole'] for step in steps)
    rows = []
    for part in ('forward', 'backward', 'optimizer', 'step', 'whole'):
        if part in steps[0]:
            median = statistics.median(step[part] for step in steps)
            rows.append({'part': part, 'ms': 1e3 * median, 'share': median / whole})
    loop = sum(s['whole'] - s['step'] for s in steps) / sum(s['whole'] for s in steps)
    figures = dict(machine=machine(timing.device), config=Path(args.config).stem)
    figures |= dict(steps=args.steps, parts=rows, loop_share=loop)
    report(figures, args.out)


if __name__ == '__main__':
    run_cli(main)
