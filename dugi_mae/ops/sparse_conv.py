"""Convolution over visible patches only, exact at their borders."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .masking import TokenMask


def visible_cells(token_mask: TokenMask, grid: tuple[int, int], scale: int) -> Tensor:
    """Where the cells of the visible tokens lie in a batch of finer maps.

    Args:
        token_mask: Which tokens are visible.
        grid: Rows and columns of tokens.
        scale: One token is ``scale x scale`` cells.

    Returns:
        ``(B * K * scale * scale,)`` int64 indices into the flattened
        ``(B, rows * scale, cols * scale)`` cells: token by token in the order of
        ``ids_keep``, cells of a token in raster order.
    """
    ids = token_mask.ids_keep
    rows, cols = grid
    step = torch.arange(scale, device=ids.device)
    y = (ids // cols * scale)[..., None, None] + step[:, None]
    x = (ids % cols * scale)[..., None, None] + step
    first = torch.arange(len(ids), device=ids.device) * (rows * cols * scale**2)
    return (first[:, None, None, None] + y * (cols * scale) + x).flatten()


def conv_on_cells(
    conv: Callable[[Tensor], Tensor],
    patches: Tensor,
    cells: Tensor,
    map_size: tuple[int, int, int],
) -> Tensor:
    """Run a size-preserving convolution as if the masked cells were zero.

    Visible neighbours contribute their true values, masked ones zeros, so the result
    equals that of the zeroed dense map at the visible cells.

    Args:
        conv: ``(B, C, H, W)`` -> ``(B, C, H, W)``.
        patches: ``(B * K, C, s, s)`` maps of the visible tokens.
        cells: ``(B * K * s * s,)``, from :func:`visible_cells`.
        map_size: ``(B, H, W)`` of the dense maps.

    Returns:
        ``(B * K, C, s, s)``.
    """
    num, channels, side, _ = patches.shape
    rows = patches.permute(0, 2, 3, 1).reshape(-1, channels)
    batch, height, width = map_size
    canvas = rows.new_zeros(batch * height * width, channels)
    canvas = canvas.index_copy(0, cells, rows)
    # Channels-last throughout: a cell is one contiguous row.
    dense = canvas.view(batch, height, width, channels).permute(0, 3, 1, 2)
    out = conv(dense).permute(0, 2, 3, 1).reshape(-1, channels)
    rows = out.index_select(0, cells)
    return rows.view(num, side, side, channels).permute(0, 3, 1, 2)
