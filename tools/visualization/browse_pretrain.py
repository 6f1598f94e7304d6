"""Show what a pre-training model is given: augmented images and their visible tokens.

mmpretrain's own browse_dataset does not run with current versions of matplotlib, and
knows nothing of masks.
"""

from __future__ import annotations

import argparse

from mmengine.dataset import default_collate
from mmengine.registry import DATASETS, DefaultScope
from tqdm import tqdm

from dugi_mae.apis.run import write_picture
from dugi_mae.cli import CFG_OPTIONS, at_least, override, read_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.files import make_folder
from dugi_mae.mm.build import build_from_config
from dugi_mae.mm.config_errors import config_errors
from dugi_mae.visualization.reconstruction import draw_masking


def parse_args() -> argparse.Namespace:
    """Parse ``browse_pretrain.py CONFIG --output-dir DIR [--number N]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of configs/pretrain')
    parser.add_argument('--output-dir', required=True, help='folder for the pictures')
    parser.add_argument('--number', type=at_least(1), default=20, help='images to show')
    parser.add_argument(
        '--rows', type=at_least(1), default=5, help='images in a picture'
    )
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    return parser.parse_args()


def main() -> None:
    """Draw the first images of the training set as the model would get them."""
    args = parse_args()
    config = read_config(args.config)
    override(config, args.cfg_options)
    if 'masking' not in config.get('model', {}):
        raise DuGIError(
            f"{args.config} has no model.masking: for other tasks use the host's "
            'browse_dataset.py'
        )
    model = build_from_config(config).eval()
    folder = make_folder(args.output_dir)
    with config_errors(config), DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    number = min(args.number, len(dataset))
    for start in tqdm(range(0, number, args.rows), unit='picture'):
        rows = range(start, min(start + args.rows, number))
        batch = model.data_preprocessor(default_collate([dataset[i] for i in rows]))
        images = batch['inputs']
        images = images[0] if isinstance(images, list) else images
        panel = draw_masking(images, model.masking(images), model.head.patch_size)
        write_picture(folder / f'{start:05d}.png', panel)
    print(f'{number} of {len(dataset)} training images drawn to {folder}')


if __name__ == '__main__':
    run_cli(main)
