"""Picture panels of a masked autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from dugi_mae.models.autoencoder import MaskedAutoencoder, Reconstruction
from dugi_mae.ops import TokenMask, grid_mask, patch_grid, token_entropy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Column(NamedTuple):
    """A column of a panel.

    Attributes:
        title: Above the column.
        arrays: For each image ``(H, W)``, ``(H, W, 3)`` or ``(rows, cols)``.
        style: ``'grey'``, ``'image'`` for the grey scale of the first column, so that
            errors stay visible, or ``'entropy'``.
    """

    title: str
    arrays: list[ndarray]
    style: str = 'grey'


def to_grey(image: Tensor) -> ndarray:
    """Channel mean of a ``(C, H, W)`` tensor as a ``(H, W)`` array."""
    return image.detach().float().mean(dim=0).cpu().numpy()


def masking_columns(
    images: Tensor, token_mask: TokenMask, patch_size: int
) -> list[Column]:
    """Normalized images ``(B, C, H, W)``, their tokens' entropy, visible tokens."""
    grid = patch_grid(images, patch_size)
    entropy = token_entropy(images, patch_size).cpu().numpy()
    grey = [to_grey(x) for x in images]
    visible = grid_mask(token_mask, grid, patch_size)[:, 0].cpu().numpy()
    kept = [np.where(v > 0, g, np.nan) for g, v in zip(grey, visible, strict=True)]
    return [
        Column('image', grey),
        Column('token entropy (bits)', [e.reshape(grid) for e in entropy], 'entropy'),
        Column('visible tokens', kept, 'image'),
    ]


def reconstruction_columns(
    model: MaskedAutoencoder, result: Reconstruction
) -> list[Column]:
    """The columns of a model in eval mode and its reconstruction of a batch."""
    images = result.images
    columns = masking_columns(images, result.token_mask, model.head.patch_size)
    if hasattr(model.guidance, 'afdm'):
        with torch.no_grad():
            filtered = model.guidance.afdm.modulate(images)
        columns.append(Column('AFDM output', [to_grey(x) for x in filtered]))
    composite = [to_grey(x) for x in result.composite]
    return [*columns, Column('reconstruction', composite, 'image')]


def draw_panel(
    columns: Sequence[Column], model: MaskedAutoencoder | None = None
) -> ndarray:
    """Draw columns with one row per image.

    Args:
        columns: That of the images first.
        model: Its guidance's filter is plotted on the right, if it has one.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, cols = len(columns[0].arrays), len(columns)
    with_profile = model is not None and hasattr(model.guidance, 'afdm')
    figure = Figure(
        (2.1 * cols + 2.4 * with_profile, 2.1 * rows + 0.7), layout='constrained'
    )
    left = figure
    if with_profile:
        left, right = figure.subfigures(1, 2, width_ratios=(2.1 * cols, 2.4))
        draw_radial_profile(right.subplots(), model)
    axes = left.subplots(rows, cols, squeeze=False)
    for cells, column in zip(axes.T, columns, strict=True):
        cells[0].set_title(column.title, fontsize=9)
        for cell, array, grey in zip(
            cells, column.arrays, columns[0].arrays, strict=True
        ):
            style = dict(cmap='gray')
            if column.style == 'image':
                style.update(vmin=grey.min(), vmax=grey.max())
            elif column.style == 'entropy':
                style = dict(cmap='magma', vmin=2, vmax=8)
            drawn = cell.imshow(array, **style)
            cell.set_axis_off()
        if column.style == 'entropy':
            left.colorbar(drawn, ax=cells, location='bottom', aspect=12, pad=0.02)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def draw_radial_profile(axes: Axes, model: MaskedAutoencoder) -> None:
    """Plot the gain of the guidance's filter over the spectral distance."""
    afdm = model.guidance.afdm
    with torch.no_grad():
        distance = torch.linspace(0, 1, 101, device=afdm.raw_beta.device)
        gain = afdm.gain(distance).cpu()
        r, alpha, beta = (x.item() for x in (afdm.radius, afdm.alpha, afdm.beta))
    axes.plot(distance.cpu(), gain)
    axes.set(
        ylim=(0, 1.05),
        xlim=(0, 1),
        xlabel='spectral distance D',
        ylabel='gain H(D)',
        box_aspect=1,
    )
    axes.set_title(f'AFDM filter\nr {r:.2f}  α {alpha:.2f}  β {beta:.2f}', fontsize=9)


def draw_masking(images: Tensor, token_mask: TokenMask, patch_size: int) -> ndarray:
    """Draw images, the entropy of their tokens and the visible tokens.

    Args:
        images: ``(B, C, H, W)``, normalized.
        token_mask: Their mask.
        patch_size: Side of a token in pixels.

    Returns:
        ``(H, W, 3)`` uint8 RGB, one row per image.
    """
    return draw_panel(masking_columns(images, token_mask, patch_size))


def draw_reconstruction(
    model: MaskedAutoencoder,
    images: Tensor,
    extra: Sequence[tuple[str, list[ndarray]]] = (),
    result: Reconstruction | None = None,
) -> ndarray:
    """Draw what a model reconstructs of masked images.

    The columns: image, entropy of the tokens, visible tokens, AFDM output, and the
    image with its masked tokens reconstructed; on the right the AFDM filter.

    Args:
        model: In eval mode.
        images: ``(B, C, H, W)``, normalized, as ``model.prepare`` returns them.
        extra: More columns: a title and one ``(H, W)`` or ``(H, W, 3)`` array per
            image.
        result: The model's reconstruction of the images, if already computed.

    Returns:
        ``(H, W, 3)`` uint8 RGB, one row per image.
    """
    columns = reconstruction_columns(model, result or model.reconstruct(images))
    columns += [Column(title, arrays) for title, arrays in extra]
    return draw_panel(columns, model)
