"""Convolution over visible patches only, exact at their borders."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .masking import TokenMask


def neighbour_rows(
    token_mask: TokenMask, grid: tuple[int, int], scale: int, margin: int
) -> Tensor:
    """Where the cells of the visible tokens and around them lie among the visible ones.

    Args:
        token_mask: K of L tokens are visible.
        grid: Rows and columns of tokens.
        scale: One token is ``scale x scale`` cells.
        margin: Cells on each side of a token that are wanted, too.

    Returns:
        ``(B * K, h, h)`` int64 with ``h = scale + 2 * margin``, for each token in the
        order of ``ids_keep``: the cell's row when the cells of all visible tokens are
        listed token by token in raster order; masked cells and those outside the image
        have the row after the last.
    """
    ids, (rows, cols) = token_mask.ids_keep, grid
    batch, device = len(ids), ids.device
    step = torch.arange(scale + 2 * margin, device=device)
    y = (ids // cols * scale)[..., None, None] + step[:, None]
    x = (ids % cols * scale)[..., None, None] + step
    image = torch.arange(batch, device=device)[:, None, None, None]
    total = ids.numel() * scale**2
    size = batch, rows * scale + 2 * margin, cols * scale + 2 * margin
    table = torch.full(size, total, device=device)
    listed = torch.arange(total, device=device).view(*ids.shape, scale, scale)
    table[image, y[..., :scale, :] + margin, x[..., :scale] + margin] = listed
    return table[image, y, x].flatten(0, 1)


def conv_on_cells(conv: nn.Conv2d, patches: Tensor, neighbours: Tensor) -> Tensor:
    """Run a size-preserving depthwise convolution as if the masked cells were zero.

    Visible neighbours contribute their true values, masked ones zeros, so the result
    equals that of the zeroed dense map at the visible cells.

    Args:
        conv: Depthwise, of stride 1 and kernel side ``2 * margin + 1``.
        patches: ``(B * K, C, s, s)`` maps of the visible tokens.
        neighbours: ``(B * K, h, h)``, from :func:`neighbour_rows`.

    Returns:
        ``(B * K, C, s, s)``.
    """
    channels = patches.shape[1]
    # Channels-last throughout: a cell is one contiguous row.
    rows = patches.permute(0, 2, 3, 1).reshape(-1, channels)
    rows = torch.cat([rows, rows.new_zeros(1, channels)])
    maps = rows.index_select(0, neighbours.flatten()).view(*neighbours.shape, channels)
    maps = maps.permute(0, 3, 1, 2)
    return F.conv2d(maps, conv.weight, conv.bias, groups=channels)
