"""The core alone: feature maps, a masked reconstruction and a picture.

Uses the weights that ship with the package. Needs torch, NumPy, safetensors and the
image readers, no OpenMMLab. Without images it draws synthetic infrared scenes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

import dugi_mae
from dugi_mae.cli import run_cli
from dugi_mae.files import find_images, make_folder
from dugi_mae.images.synthetic import generate_scene

SIDE = 224


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', nargs='*', type=Path, help='image files or folders')
    parser.add_argument('--num', type=int, default=4, help='number of images')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo-core'))
    return parser.parse_args()


def load_images(paths: list[Path], num: int) -> list[np.ndarray]:
    """Middle squares of the first images, or of synthetic scenes, ``(H, W, 3)``."""
    files: list[Path] = []
    for path in paths:
        found = find_images(path) if path.is_dir() else ['']
        files += [path / name for name in found]
    if files:
        images = [dugi_mae.load_infrared(file) for file in files[:num]]
    else:
        print('No images given: drawing synthetic infrared scenes')
        scenes = (generate_scene(seed, num_targets=2).image for seed in range(num))
        images = [np.repeat(scene[..., None], 3, axis=2) for scene in scenes]
    return [middle_square(image) for image in images]


def middle_square(image: np.ndarray) -> np.ndarray:
    """The middle of ``(H, W, 3)``, at the side that the model was trained at."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def colour(features: Tensor) -> np.ndarray:
    """First principal component of ``(C, H, W)`` features as a colour picture."""
    flat = features.flatten(1).T
    component = torch.linalg.svd(flat - flat.mean(0), full_matrices=False).Vh[0]
    values = (flat @ component).reshape(features.shape[1:]).numpy()
    scaled = cv2.normalize(values, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    large = cv2.resize(scaled, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    return cv2.applyColorMap(large, cv2.COLORMAP_MAGMA)


def draw(columns: dict[str, list[np.ndarray]]) -> np.ndarray:
    """Titled columns of ``(SIDE, SIDE, 3)`` pictures side by side."""
    drawn = []
    for title, pictures in columns.items():
        head = np.full((24, SIDE, 3), 255, np.uint8)
        cv2.putText(head, title, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
        drawn.append(np.concatenate([head, *pictures]))
    return np.concatenate(drawn, axis=1)


@torch.no_grad()
def main() -> None:
    """Encode, reconstruct and draw."""
    start, args = time.time(), parse_args()
    torch.manual_seed(0)
    images = load_images(args.images, args.num)

    encoder = dugi_mae.create_encoder('tiny', pretrained=True).eval()
    maps = encoder(encoder.prepare(images))
    for stride, features in zip(encoder.strides, maps, strict=True):
        print(f'feature map at stride {stride:2d}: {tuple(features.shape)}')

    model = dugi_mae.create_pretrainer('tiny', pretrained=True).eval()
    result = model.reconstruct(model.prepare(images))
    hidden = 1 - result.visible
    error = ((result.prediction - result.images) ** 2 * hidden).mean(1).sum()
    print(f'masked: {hidden.mean():.0%}, mean squared error there: ', end='')
    print(f'{error / hidden.sum():.4f} (normalized grey values)')

    def pictures(batch: Tensor) -> list[np.ndarray]:
        grey = (batch * model.std + model.mean).clamp(0, 255)
        return [*grey.permute(0, 2, 3, 1).byte().numpy()]

    columns = {
        'image': images,
        'visible tokens': pictures(result.images * result.visible),
        'reconstruction': pictures(result.composite),
    }
    for stride, features in zip(encoder.strides, maps, strict=True):
        columns[f'features, stride {stride}'] = [colour(x) for x in features]
    picture = make_folder(args.out) / 'core.png'
    cv2.imwrite(str(picture), draw(columns))
    print(f'Picture: {picture} ({time.time() - start:.1f} s)')


if __name__ == '__main__':
    run_cli(main)
