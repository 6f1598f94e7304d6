"""Show what a pre-training model is given: augmented images and their visible tokens.

mmpretrain's own browse_dataset does not run with current versions of matplotlib, and
knows nothing of masks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
from mmengine.dataset import default_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope
from tqdm import tqdm

from dugi_mae.errors import DuGIError
from dugi_mae.utils.cli import CFG_OPTIONS, run_cli
from dugi_mae.utils.config import override, read_config
from dugi_mae.visualization.reconstruction import draw_masking


def parse_args() -> argparse.Namespace:
    """Parse ``browse_pretrain.py CONFIG --output-dir DIR [--number N]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of configs/pretrain')
    parser.add_argument('--output-dir', required=True, help='folder for the pictures')
    parser.add_argument('--number', type=int, default=20, help='images to show')
    parser.add_argument('--rows', type=int, default=5, help='images in a picture')
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    args = parser.parse_args()
    for key in ('number', 'rows'):
        if getattr(args, key) < 1:
            raise DuGIError(f'--{key} {getattr(args, key)}: give at least 1')
    return args


def main() -> None:
    """Draw the first images of the training set as the model would get them."""
    args = parse_args()
    config = read_config(args.config)
    override(config, args.cfg_options)
    if 'masking' not in config.get('model', {}):
        raise DuGIError(
            f'{args.config} has no model.masking: for other tasks use '
            'tools/host_tool.py browse_dataset'
        )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
        model = MODELS.build(config.model).eval()
    folder = Path(args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    number = min(args.number, len(dataset))
    for start in tqdm(range(0, number, args.rows), unit='picture'):
        rows = range(start, min(start + args.rows, number))
        batch = model.data_preprocessor(default_collate([dataset[i] for i in rows]))
        images = batch['inputs']
        images = images[0] if isinstance(images, list) else images
        panel = draw_masking(images, model.masking(images), model.head.patch_size)
        cv2.imwrite(str(folder / f'{start:05d}.png'), panel[..., ::-1])
    print(f'{number} of {len(dataset)} training images drawn to {folder}')


if __name__ == '__main__':
    run_cli(main)
