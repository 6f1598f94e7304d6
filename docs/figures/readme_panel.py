"""Draw docs/images/readme_panel.png from one infrared image and the shipped encoder.

python docs/figures/readme_panel.py IMAGE
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch

import dugi_mae
from dugi_mae.ops import token_entropy

SIDE = 448


def colours(features: torch.Tensor) -> np.ndarray:
    """The three main components of a ``(D, H, W)`` map as ``(H, W, 3)`` colours."""
    flat = features.flatten(1).T
    flat = (flat - flat.mean(0)) / (flat.std(0) + 1e-6)
    parts = flat @ torch.linalg.svd(flat, full_matrices=False).Vh[:3].T
    low, high = parts.quantile(0.02, 0), parts.quantile(0.98, 0)
    shown = ((parts - low) / (high - low)).clamp(0, 1)
    return shown.reshape(*features.shape[1:], 3).numpy()


@torch.no_grad()
def main() -> None:
    """Draw and save."""
    image = dugi_mae.load_infrared(sys.argv[1])
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = image[top : top + side, left : left + side]
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    model = dugi_mae.create_pretrainer('tiny', pretrained=True).eval()
    encoder = dugi_mae.create_encoder('tiny', pretrained=True).eval()
    inputs = model.prepare(image)
    result = model.reconstruct(inputs)
    grid = SIDE // model.backbone.patch_size

    figure, axes = plt.subplots(2, 4, figsize=(10, 5.5), layout='constrained')
    for axis in axes.flat:
        axis.axis('off')

    def show(axis: plt.Axes, picture: np.ndarray, title: str, **options) -> plt.Axes:
        axis.set_title(title, fontsize=10)
        return axis.imshow(picture, **options)

    grey = dict(cmap='gray', vmin=inputs.min(), vmax=inputs.max())
    kept = torch.where(result.visible.bool(), inputs, float('nan'))
    entropy = token_entropy(inputs).reshape(grid, grid)
    show(axes[0, 0], inputs[0, 0], 'image', **grey)
    shown = show(axes[0, 1], entropy, 'entropy of each token', cmap='magma')
    bar = axes[0, 1].inset_axes((1.02, 0, 0.04, 1))
    figure.colorbar(shown, cax=bar).ax.set_title('bits', fontsize=8)
    show(axes[0, 2], kept[0, 0], 'the quarter that the encoder sees', **grey)
    show(axes[0, 3], result.composite[0, 0], 'reconstruction', **grey)
    maps = encoder(encoder.prepare(image))
    for i, (axis, features) in enumerate(zip(axes[1], maps, strict=True)):
        title = f'F{i + 1}: {features.shape[1]} channels, stride {encoder.strides[i]}'
        show(axis, colours(features[0]), title)
    target = Path(__file__).resolve().parents[1] / 'images' / 'readme_panel.png'
    figure.savefig(target, dpi=100)


if __name__ == '__main__':
    main()
