"""The complete story in a few minutes: pre-train, look, fine-tune, measure.

Runs a short tiny pre-training, carries the encoder into the small-target model,
fine-tunes it, prints the metrics and writes one picture panel. Everything is trained by
tools/train.py and measured by tools/test.py. Without folders it uses the real data at
DUGI_DATA (or ../shared/data), else scenes of our own generator. The runs are far too
short to be good: configs/pretrain and configs/small_target hold the real schedules.
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
from tqdm import tqdm

from dugi_mae import load_infrared
from dugi_mae.apis import SmallTargetInferencer, build_model
from dugi_mae.apis.run import write_picture
from dugi_mae.cli import run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.files import make_folder
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.visualization import draw_reconstruction, draw_target_overlay

ROOT = Path(__file__).resolve().parents[2]
PRETRAIN = ROOT / 'configs' / 'demo' / 'pretrain_tiny.py'
FINETUNE = ROOT / 'configs' / 'demo' / 'finetune_irstd.py'
#: A line of mmengine's log, for example ``Iter(train) [ 10/60]  lr: ...  loss: 0.7``.
PROGRESS = re.compile(r'\((?:train|test)\)\s+\[\s*(\d+)/(\d+)\](?:.*?\bloss: (\S+))?')


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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


def run_tool(name: str, config: Path, *arguments: str, work_dir: Path) -> None:
    """Run a command-line tool: its log to a file, its progress to the terminal."""
    log = make_folder(work_dir) / f'{Path(name).stem}_log.txt'
    command = [sys.executable, str(ROOT / 'tools' / name), str(config), *arguments]
    environ = os.environ | {'PYTHONWARNINGS': 'ignore'}
    with (
        log.open('w') as stream,
        tqdm(desc=f'tools/{name}') as bar,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environ
        ) as process,
    ):
        for line in process.stdout:
            stream.write(line)
            if found := PROGRESS.search(line):
                bar.n, bar.total = int(found[1]), int(found[2])
                bar.set_postfix_str(f'loss {found[3]}' if found[3] else '')
    if process.returncode:
        raise DuGIError(f'tools/{name} failed: its log is {log}')


def last_checkpoint(work_dir: Path) -> str:
    """The file that ``last_checkpoint`` of a work dir names."""
    return (work_dir / 'last_checkpoint').read_text().strip()


def train_and_test(config: Path, work_dir: Path, train: list[str], test: list[str]):
    """Train, then test the last checkpoint; returns the metrics."""
    flags = ['--work-dir', str(work_dir), '--cfg-options']
    run_tool('train.py', config, *flags, *train, work_dir=work_dir)
    checkpoint = last_checkpoint(work_dir)
    run_tool('test.py', config, checkpoint, *flags, *test, work_dir=work_dir)
    newest = max(work_dir.glob('*/*.json'), key=lambda p: p.stat().st_mtime)
    return json.loads(newest.read_text())


def square(array: np.ndarray, side: int, interpolation: int) -> np.ndarray:
    """The middle square of ``(H, W)`` at ``side`` x ``side`` pixels."""
    height, width = array.shape
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    middle = array[top : top + size, left : left + size]
    return cv2.resize(middle, (side, side), interpolation=interpolation)


def draw_panel(
    pretrain_dir: Path, finetune_dir: Path, data: Path, rows: int = 4
) -> np.ndarray:
    """The story of a few test images in one picture, ``(H, W, 3)`` RGB."""
    names = (data / 'idx_427' / 'test.txt').read_text().split()
    names = names[:: max(1, len(names) // rows)][:rows]
    paths = [data / 'images' / f'{name}.png' for name in names]
    inferencer = SmallTargetInferencer(FINETUNE, last_checkpoint(finetune_dir))
    greys, overlays = [], []
    for name, path, result in zip(names, paths, inferencer(paths), strict=True):
        mask = cv2.imread(str(data / 'masks' / f'{name}_pixels0.png'), 0) > 0
        grey = load_infrared(path, channels=1)[..., 0]
        greys.append(square(grey, 224, cv2.INTER_AREA))
        overlays.append(
            draw_target_overlay(
                square(grey, 224, cv2.INTER_LINEAR),
                square(result.mask.astype(np.uint8), 224, cv2.INTER_NEAREST) > 0,
                square(mask.astype(np.uint8), 224, cv2.INTER_NEAREST) > 0,
            )
        )
    model = build_model(PRETRAIN, last_checkpoint(pretrain_dir))
    title = 'green hit, red false, yellow missed'
    return draw_reconstruction(model, model.prepare(greys), [(title, overlays)])


def main() -> None:
    """Run the story."""
    start, args = time.time(), parse_args()
    unlabeled, data = find_data(args)
    pretrain_dir, finetune_dir = args.out / 'pretrain', args.out / 'finetune'

    print('\n1/3 Pre-training the tiny encoder on unlabelled images')
    folders = [
        f'{split}_dataloader.dataset.data_root={unlabeled}'
        for split in ('train', 'test')
    ]
    pretrained = train_and_test(PRETRAIN, pretrain_dir, folders[:1], folders[1:])
    print('\n2/3 Fine-tuning the small-target model with that encoder')
    finetuned = train_and_test(
        FINETUNE,
        finetune_dir,
        [
            f'train_dataloader.dataset.data_root={data}',
            f'model.backbone.init_cfg.checkpoint={last_checkpoint(pretrain_dir)}',
        ],
        [f'test_dataloader.dataset.data_root={data}'],
    )
    print('\n3/3 Drawing the panel')
    panel = args.out / 'panel.png'
    picture = draw_panel(pretrain_dir, finetune_dir, data)
    write_picture(panel, picture)

    print(f'\nDone in {(time.time() - start) / 60:.1f} min.')
    print('Reconstruction of held-out images (mean squared error on masked pixels):')
    for key, value in pretrained.items():
        if key.startswith('reconstruction/'):
            print(f'  {key.split("/")[1]:24s} {value:.4f}')
    print('Small targets on the test split (percent; Fa in false pixels per million):')
    for key, value in finetuned.items():
        if key.startswith('small_target/'):
            print(f'  {key.split("/")[1]:24s} {value:.2f}')
    print(f'Panel: {panel}')


if __name__ == '__main__':
    run_cli(main)
