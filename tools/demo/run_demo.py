"""The complete story in a few minutes: pre-train, look, fine-tune, measure.

Starts from the weights that ship: goes on with the pre-training of the tiny encoder,
fine-tunes irstd-nano, prints the metrics and writes one picture panel. Everything is
trained by tools/train.py and measured by tools/test.py. Without folders it uses the
real data at DUGI_DATA (or ../shared/data), else scenes of our own generator. The real
schedules are in configs/pretrain and configs/small_target.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from dugi_mae import load_infrared
from dugi_mae.apis import ReconstructionInferencer, SmallTargetInferencer
from dugi_mae.apis.run import write_picture
from dugi_mae.cli import run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.files import make_folder
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.visualization import draw_reconstruction, draw_small_targets
from dugi_mae.zoo import small_target_model, weights_path

ROOT = Path(__file__).resolve().parents[2]
PRETRAIN = ROOT / 'configs' / 'demo' / 'pretrain_tiny.py'
FINETUNE = ROOT / 'configs' / 'demo' / 'finetune_nano.py'


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--unlabeled', type=Path, help='folder of infrared images')
    parser.add_argument(
        '--data', type=Path, help='small-target set in the SIRST v1 layout'
    )
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/demo'), help='folder for results'
    )
    return parser.parse_args()


def find_data(args: argparse.Namespace) -> tuple[Path, Path]:
    """The given folders, else real data, else synthetic scenes."""
    for name, folder in (('UNLABELED', args.unlabeled), ('DATA', args.data)):
        if folder and not folder.is_dir():
            raise DuGIError(f'{name} folder {folder} does not exist: correct the path')
    root = Path(os.environ.get('DUGI_DATA', ROOT.parent / 'shared' / 'data'))
    unlabeled = args.unlabeled or root / 'infrared_unlabeled'
    data = args.data or root / 'sirst'
    if not (unlabeled.is_dir() and data.is_dir()):
        print('No real images at hand: drawing synthetic infrared scenes ...')
        synthetic = write_dataset(args.out / 'synthetic', num_images=240)
        unlabeled = unlabeled if unlabeled.is_dir() else synthetic.unlabeled
        data = data if data.is_dir() else synthetic.labelled
    print(f'Unlabelled images: {unlabeled}\nSmall targets:     {data}')
    return unlabeled.resolve(), data.resolve()


def run_tool(
    name: str, files: list[Path | str], work_dir: Path, settings: list[str]
) -> None:
    """Run a command-line tool: its log to a file, its progress to the terminal."""
    path = make_folder(work_dir) / f'{Path(name).stem}_log.txt'
    flags = ['--work-dir', str(work_dir), '--cfg-options', *settings]
    command = [sys.executable, str(ROOT / 'tools' / name), *map(str, files), *flags]
    with (
        path.open('w') as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        for line in process.stdout:
            log.write(line)
            if re.search(r'\((train|test)\)', line):
                print(line.rpartition(' - ')[2], end='')
    if process.returncode:
        raise DuGIError(f'tools/{name} failed: its log is {path}')


def last_checkpoint(work_dir: Path) -> str:
    """The file that ``last_checkpoint`` of a work dir names."""
    return (work_dir / 'last_checkpoint').read_text().strip()


def train_and_test(
    config: Path, work_dir: Path, train: list[str], test: list[str]
) -> dict[str, float]:
    """Train, then test the last checkpoint; returns the metrics."""
    run_tool('train.py', [config], work_dir, train)
    run_tool('test.py', [config, last_checkpoint(work_dir)], work_dir, test)
    newest = max(work_dir.glob('*/*.json'), key=lambda p: p.stat().st_mtime)
    return json.loads(newest.read_text())


def pick_images(data: Path, count: int = 4) -> list[str]:
    """The test images with most targets."""
    names = (data / 'idx_427' / 'test.txt').read_text().split()
    masks = [data / 'masks' / f'{name}_pixels0.png' for name in names]
    targets = [cv2.connectedComponents(cv2.imread(str(m), 0))[0] for m in masks]
    return [names[i] for i in np.argsort(targets, kind='stable')[::-1][:count]]


def draw_panel(pretrain_dir: Path, finetune_dir: Path, data: Path) -> np.ndarray:
    """Reconstructions of a few test images above their targets, ``(H, W, 3)`` RGB."""
    paths = [data / 'images' / f'{name}.png' for name in pick_images(data)]
    reconstruct = ReconstructionInferencer(PRETRAIN, last_checkpoint(pretrain_dir))
    images = [result.image[..., 0] for result in reconstruct(paths)]
    model = reconstruct.model
    story = draw_reconstruction(model, model.prepare(images))
    side = story.shape[1] // len(paths)
    story = story[:, : side * len(paths)]
    title = np.full((40, *story.shape[1:]), 255, np.uint8)
    text = 'targets: green found, red false, yellow missed'
    cv2.putText(title, text, (10, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
    find = SmallTargetInferencer(FINETUNE, last_checkpoint(finetune_dir))
    pictures = [
        draw_small_targets(load_infrared(path, channels=1)[..., 0], r.mask, r.match)
        for path, r in zip(paths, find(paths, gt=data / 'masks'), strict=True)
    ]
    row = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.vstack([story, title, np.hstack(row)])


def main() -> None:
    """Run the story."""
    begun, args = time.time(), parse_args()
    unlabeled, data = find_data(args)
    pretrain_dir, finetune_dir = args.out / 'pretrain', args.out / 'finetune'

    print('\n1/3 Pre-training the tiny encoder on unlabelled images')
    root = f'dataloader.dataset.data_root={unlabeled}'
    start = f'load_from={weights_path("dugi-mae_convvit-tiny_infrared-unlabeled")}'
    pretrained = train_and_test(
        PRETRAIN, pretrain_dir, [f'train_{root}', start], [f'test_{root}']
    )
    print('\n2/3 Fine-tuning the small-target network')
    root = f'dataloader.dataset.data_root={data}'
    start = f'load_from={small_target_model("irstd-nano")[1]}'
    finetuned = train_and_test(
        FINETUNE, finetune_dir, [f'train_{root}', start], [f'test_{root}']
    )
    print('\n3/3 Drawing the panel')
    panel = args.out / 'panel.png'
    write_picture(panel, draw_panel(pretrain_dir, finetune_dir, data))

    print(f'\nDone in {(time.time() - begun) / 60:.1f} min.')
    for title, metrics in (
        ('Reconstruction of held-out images (mean squared error)', pretrained),
        ('Small targets on the test split (%; Fa in 1e-6)', finetuned),
    ):
        print(f'{title}:')
        for key, value in metrics.items():
            if key.startswith(('reconstruction/', 'small_target/')):
                print(f'  {key.split("/")[1]:24s} {value:.4g}')
    print(f'Panel: {panel}')


if __name__ == '__main__':
    run_cli(main)
