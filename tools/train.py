"""Train any dugi_mae config: pre-training or a downstream task."""

from __future__ import annotations

import argparse

import torch
from mmengine.config import Config

from dugi_mae import enable_safe_loading
from dugi_mae.checkpoints.io import check_checkpoint
from dugi_mae.cli import add_common_arguments, build_runner, load_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.mm.build import type_name
from dugi_mae.mm.config_errors import config_errors
from dugi_mae.mm.cpu_amp import has_bfloat16
from dugi_mae.mm.resume import list_checkpoints


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


def enable_amp(config: Config) -> None:
    """Switch a config to mixed precision: float16 on a GPU, bfloat16 on a CPU.

    Raises:
        DuGIError: Where neither can do it, or another wrapper is configured.
    """
    gpu = torch.cuda.is_available()
    if not gpu and not has_bfloat16():
        raise DuGIError(
            '--amp needs a GPU or a CPU with AMX or AVX512-BF16 and neither was found: '
            'leave --amp out to train in fp32'
        )
    wrapper, kind = config.optim_wrapper, 'Amp' if gpu else 'CpuAmp'
    name = type_name({'type': 'OptimWrapper', **wrapper})
    if name not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise DuGIError(
            f'--amp does not go with optim_wrapper.type={name}: leave one out'
        )
    wrapper.type = f'{kind}OptimWrapper'
    if gpu:
        wrapper.setdefault('loss_scale', 'dynamic')


def main() -> None:
    """Build the runner of a config and train."""
    args = parse_args()
    config = load_config(args)
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.amp:
        enable_amp(config)
    if args.resume == 'auto':
        # On the first start there is nothing yet, and load_from counts.
        if not config.get('load_from') or list_checkpoints(config.work_dir):
            config.resume, config.load_from = True, None
    elif args.resume:
        config.resume, config.load_from = True, args.resume
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
    with enable_safe_loading(), config_errors(config):
        build_runner(config).train()


if __name__ == '__main__':
    run_cli(main)
