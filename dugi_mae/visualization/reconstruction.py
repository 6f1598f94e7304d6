"""Picture panels of a pre-training model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from dugi_mae.models.autoencoder import DuGIMAE
from dugi_mae.models.autoencoder import Reconstruction
from dugi_mae.ops import TokenMask, grid_mask, patch_grid, token_entropy


def to_grey(image: Tensor) -> np.ndarray:
    """Channel mean of a ``(C, H, W)`` tensor as a ``(H, W)`` array."""
    return image.detach().float().mean(dim=0).cpu().numpy()


def draw_radial_profile(axes: Axes, model: DuGIMAE) -> None:
    """Plot the gain of the guidance's filter over the spectral distance."""
    afdm = model.guidance.afdm
    with torch.no_grad():
        distance = torch.linspace(0, 1, 101, device=afdm.raw_beta.device)
        gain = afdm.gain(distance).cpu()
        r, alpha, beta = (x.item() for x in (afdm.radius, afdm.alpha, afdm.beta))
    axes.plot(distance.cpu(), gain)
    axes.set(ylim=(0, 1.05), xlim=(0, 1), xlabel='D', ylabel='H(D)', box_aspect=1)
    axes.set_title(f'r {r:.2f}  α {alpha:.2f}  β {beta:.2f}', fontsize=8)


def figure_to_array(figure: Figure) -> np.ndarray:
    """Render a figure to ``(H, W, 3)`` uint8 RGB, without a display."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


#: A column of a panel: its title; for each image an array ``(H, W)``, ``(H, W, 3)`` or
#: ``(rows, cols)``; arguments for matplotlib's ``imshow``.
Column = tuple[str, list[np.ndarray], dict]


def masking_columns(
    images: Tensor, token_mask: TokenMask, patch_size: int
) -> list[Column]:
    """Images, entropy of their tokens, and what the mask leaves of them.

    Args:
        images: ``(B, C, H, W)``, normalised.
        token_mask: Their mask.
        patch_size: Side of a token in pixels.
    """
    grid = patch_grid(images, patch_size)
    entropy = token_entropy(images, patch_size).cpu()
    grey = [to_grey(x) for x in images]
    visible = grid_mask(token_mask, grid, patch_size)[:, 0].cpu().numpy()
    kept = [np.where(v > 0, g, np.nan) for g, v in zip(grey, visible, strict=True)]
    return [
        ('image', grey, dict(cmap='gray')),
        (
            'entropy (bits)',
            [e.reshape(grid).numpy() for e in entropy],
            dict(cmap='magma', vmin=2, vmax=8),
        ),
        ('kept tokens', kept, dict(cmap='gray')),
    ]


def reconstruction_columns(model: DuGIMAE, result: Reconstruction) -> list[Column]:
    """What a panel shows of a batch.

    Args:
        model: In eval mode.
        result: What it made of the batch.
    """
    images = result.images
    columns = masking_columns(images, result.token_mask, model.head.patch_size)
    if hasattr(model.guidance, 'afdm'):
        with torch.no_grad():
            filtered = model.guidance.afdm.modulate(images)
        columns.append(
            ('AFDM output', [to_grey(x) for x in filtered], dict(cmap='gray'))
        )
    composite = [to_grey(x) for x in result.composite]
    columns.append(('reconstruction', composite, dict(cmap='gray')))
    return columns


def draw_columns(axes: np.ndarray, columns: Sequence[Column]) -> None:
    """Draw columns, the image's first, into as many axes a row."""
    for col, (title, arrays, style) in enumerate(columns):
        for row, array in enumerate(arrays):
            cell = axes[row, col]
            if title in ('kept tokens', 'reconstruction'):
                # The grey scale of the image itself, so that errors stay visible.
                grey = columns[0][1][row]
                style = style | dict(vmin=grey.min(), vmax=grey.max())
            cell.imshow(array, **style)
            cell.set_axis_off()
            if row == 0:
                cell.set_title(title, fontsize=9)


def draw_masking(images: Tensor, token_mask: TokenMask, patch_size: int) -> np.ndarray:
    """A panel of :func:`masking_columns` with one row an image.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    columns = masking_columns(images, token_mask, patch_size)
    figure = Figure((2.2 * len(columns), 2.3 * len(images)), layout='constrained')
    axes = figure.subplots(len(images), len(columns), squeeze=False)
    draw_columns(axes, columns)
    return figure_to_array(figure)


def draw_reconstruction(
    model: DuGIMAE,
    images: Tensor,
    extra: Sequence[tuple[str, list[np.ndarray]]] = (),
    result: Reconstruction | None = None,
) -> np.ndarray:
    """A panel with one row an image.

    Image, entropy map, kept tokens, AFDM output with the filter's radial profile, and
    the image with its masked places painted by the decoder.

    Args:
        model: In eval mode.
        images: ``(B, C, H, W)``, normalised.
        extra: More columns: a title and one ``(H, W)`` or ``(H, W, 3)`` array an image.
        result: What the model made of the images, if that is known already.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    columns = reconstruction_columns(model, result or model.reconstruct(images))
    columns += [(title, arrays, dict(cmap='gray')) for title, arrays in extra]
    with_profile = hasattr(model.guidance, 'afdm')
    num_cols = len(columns) + with_profile
    figure = Figure((2.2 * num_cols, 2.3 * len(images)), layout='constrained')
    axes = figure.subplots(len(images), num_cols, squeeze=False)
    draw_columns(axes, columns)
    if with_profile:
        draw_radial_profile(axes[0, -1], model)
        for cell in axes[1:, -1]:
            cell.set_axis_off()
    return figure_to_array(figure)
