"""Draw docs/images/sparse_encoder.png: what each form of the encoder computes."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

SIDE, SEEN = 6, 9
MASKED, VISIBLE, WASTED = '#dddddd', '#d95f02', '#fdd0a2'


def draw_tokens(axes: Axes, colours: np.ndarray, title: str) -> None:
    """Squares in a grid, a token each, with the finer cells of stage 1 inside."""
    rows = len(colours)
    first = (SIDE - rows) / 2
    for (row, col), colour in np.ndenumerate(colours):
        x, y = first + col, first + rows - 1 - row
        for cell in range(16):
            corner = (x + cell % 4 / 4, y + cell // 4 / 4)
            axes.add_patch(Rectangle(corner, 0.25, 0.25, fc=colour, ec='white', lw=0.3))
        axes.add_patch(Rectangle((x, y), 1, 1, fill=False, ec='white', lw=2))
    axes.set(xlim=(0, SIDE), ylim=(0, SIDE), aspect='equal')
    axes.set_title(title, pad=10)
    axes.axis('off')


def main() -> None:
    """Draw and save."""
    seen = np.zeros(SIDE * SIDE, bool)
    seen[np.random.RandomState(3).permutation(SIDE * SIDE)[:SEEN]] = True
    seen = seen.reshape(SIDE, SIDE)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout='constrained')
    draw_tokens(axes[0], np.where(seen, VISIBLE, MASKED), 'mask: a quarter is visible')
    draw_tokens(axes[1], np.where(seen, VISIBLE, WASTED), 'dense: all cells computed')
    packed = np.full((3, 3), VISIBLE)
    draw_tokens(axes[2], packed, 'sparse: visible tokens, packed')
    folder = Path(__file__).resolve().parents[1] / 'images'
    figure.savefig(folder / 'sparse_encoder.png', dpi=110)


if __name__ == '__main__':
    main()
