"""Test a checkpoint with any dugi_mae config and print its metrics.

For a pre-training config the metric is the reconstruction of held-out images.
"""

from __future__ import annotations

import argparse
import os

from mmengine.config import Config
from mmengine.evaluator import DumpResults
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from dugi_mae import enable_safe_loading
from dugi_mae.checkpoints.io import check_checkpoint, load_weights
from dugi_mae.cli import add_common_arguments, build_runner, load_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.mm.build import type_name
from dugi_mae.mm.config_errors import config_errors


def parse_args() -> argparse.Namespace:
    """Parse the flags, those of the hosts' own ``tools/test.py``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='dump the predictions to this .pkl file')
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument('--show-dir', help='save drawn predictions to this folder')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds between two pictures'
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    add_common_arguments(parser)
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise DuGIError(f'--out {args.out}: name a .pkl file')
    return args


def enable_pictures(config: Config, args: argparse.Namespace) -> None:
    """Switch the host's visualization hook on."""
    hook = config.default_hooks.get('visualization')
    if hook is None:
        raise DuGIError(
            f'--show and --show-dir need default_hooks.visualization in {args.config}'
        )
    hook.update(draw=True, interval=1, show=args.show, wait_time=args.wait_time)
    if args.show_dir:
        # Every host saves below the visualizer's folder, mmdet also to its own.
        config.visualizer['save_dir'] = args.show_dir
        if type_name(hook) == 'DetVisualizationHook':
            # mmdet joins the path to the work dir, which an absolute one survives.
            hook.test_out_dir = os.path.abspath(args.show_dir)


def enable_tta(config: Config, args: argparse.Namespace) -> None:
    """Wrap the model and swap the pipeline for test-time augmentation."""
    for key in ('tta_model', 'tta_pipeline'):
        if config.get(key) is None:
            raise DuGIError(f'--tta needs {key} in {args.config}')
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.model = dict(**config.tta_model, module=config.model)


def check_fit(runner: Runner, checkpoint: str) -> None:
    """Raise where the runner would only warn that parts of the model stay random."""
    model = runner.model
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    load_weights(model, checkpoint)


def main() -> None:
    """Build the runner of a config and test a checkpoint."""
    args = parse_args()
    config = load_config(args)
    if config.get('test_dataloader') is None:
        raise DuGIError(f'{args.config} has no test_dataloader: nothing to test on')
    check_checkpoint(args.checkpoint)
    config.load_from = args.checkpoint
    if args.show or args.show_dir:
        enable_pictures(config, args)
    if args.tta:
        enable_tta(config, args)
    with enable_safe_loading(), config_errors(config):
        runner = build_runner(config)
        check_fit(runner, args.checkpoint)
        if args.out:
            runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
        runner.test()


if __name__ == '__main__':
    run_cli(main)
