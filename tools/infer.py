"""Run a trained model on images or videos; write results.json and pictures.

A segmentation config detects small targets, a pre-training config masks and
reconstructs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dugi_mae import apis
from dugi_mae.checkpoints.io import check_checkpoint
from dugi_mae.cli import CFG_OPTIONS, override, read_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.zoo import false_alarm_threshold, small_target_model

#: Flags for small targets only: arguments of the inferencer and of its call.
INIT_FLAGS, CALL_FLAGS = ('tile', 'overlap', 'threshold'), ('gt',)


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'paths',
        nargs='+',
        metavar='path',
        help='config, checkpoint and inputs: images, folders, globs or videos; with '
        '--model inputs alone',
    )
    parser.add_argument('--model', help='a model that ships, such as irstd-nano')
    parser.add_argument(
        '--out', required=True, help='folder for results.json and pictures'
    )
    parser.add_argument('--gt', help='folder of true masks')
    parser.add_argument(
        '--tile',
        type=int,
        help="predict in tiles of this side, in pixels of the model's input; a "
        'multiple of 32',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        help='overlap of the tiles in pixels (64)',
    )
    parser.add_argument(
        '--threshold',
        type=float,
        help="probability of a target pixel (that of the config's decode head)",
    )
    parser.add_argument(
        '--fa',
        type=float,
        help='in place of a threshold: false alarms cover at most this share of the '
        'pixels, such as 10e-6, as measured for a model that ships',
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (a GPU if there is one)')
    parser.add_argument(
        '--batch-size', type=int, default=1, help='images of equal size at once (1)'
    )
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    args = parser.parse_args()
    paths = [*(small_target_model(args.model) if args.model else ()), *args.paths]
    if len(paths) < 3:
        parser.error('name config, checkpoint and input, or --model and input')
    if args.fa is not None:
        if not args.model or args.threshold is not None:
            parser.error('--fa goes with --model and without --threshold')
        args.threshold = false_alarm_threshold(args.model, args.fa)
    args.config, args.checkpoint, *args.inputs = paths
    return args


def given(args: argparse.Namespace, names: tuple[str, ...]) -> dict:
    """Return those of the flags that were given."""
    return {k: getattr(args, k) for k in names if getattr(args, k) is not None}


def summarise(report: dict, out: Path) -> None:
    """Print the outcome of a run."""
    images, failed = report['images'], report['failed']
    line = f'{len(images)} images'
    if 'targets' in images[0]:
        line += f', {sum(len(entry["targets"]) for entry in images)} targets'
    if failed:
        line += f', {len(failed)} skipped (see "failed")'
    pictures = out / Path(images[0]['picture']).parts[0]
    print(f'{line}. Results: {out / "results.json"}, pictures: {pictures}')
    for key, value in report.get('metrics', {}).items():
        print(f'  {key:24s} ' + ('undefined' if value is None else f'{value:.4g}'))


def main() -> None:
    """Pick the inferencer for the config and run it."""
    args = parse_args()
    config = read_config(args.config)
    check_checkpoint(args.checkpoint)
    override(config, args.cfg_options)
    name = apis.inferencer_name(config)
    extra = given(args, INIT_FLAGS + CALL_FLAGS)
    if extra and name != 'SmallTargetInferencer':
        raise DuGIError(
            f'--{next(iter(extra))} is for small targets, {args.config} is for '
            'pre-training: leave the flag out'
        )
    if args.overlap is not None and args.tile is None:
        raise DuGIError('--overlap needs --tile: give both or none')
    inferencer = getattr(apis, name)(
        config, args.checkpoint, args.device, **given(args, INIT_FLAGS)
    )
    results = inferencer.stream(
        args.inputs,
        args.out,
        batch_size=args.batch_size,
        **given(args, CALL_FLAGS),
    )
    for _ in results:  # results are not kept: a video may have many frames
        pass
    summarise(inferencer.report, Path(args.out))


if __name__ == '__main__':
    run_cli(main)
