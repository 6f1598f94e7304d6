"""Train any dugi_mae config: pre-training or a downstream task."""

from __future__ import annotations

import argparse

from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError
from dugi_mae.checkpoints.io import check_checkpoint
from dugi_mae.cli import add_common_arguments, enable_amp, load_config, run_cli
from dugi_mae.cli import check_schedule


def parse_args() -> argparse.Namespace:
    """Parse the flags, those of the hosts' own ``tools/train.py``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint, or from the newest in the work dir',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in automatic mixed precision'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the batch size over the config's base",
    )
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Build the runner of a config and train."""
    args = parse_args()
    config = load_config(args)
    check_schedule(config)
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.amp:
        enable_amp(config)
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == 'auto' else args.resume
        if config.load_from:
            check_checkpoint(
                args.resume,
                'check the path, or use --resume alone for the newest in the work dir',
            )
    if args.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise DuGIError(
                f'--auto-scale-lr needs auto_scale_lr.base_batch_size in {args.config}'
            )
        config.auto_scale_lr.enable = True
    build = RUNNERS.build if 'runner_type' in config else Runner.from_cfg
    build(config).train()


if __name__ == '__main__':
    run_cli(main)
