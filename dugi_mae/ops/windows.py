"""Cutting a grid of tokens into windows and putting it together again."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def _padding(grid: tuple[int, int], window: int) -> tuple[int, int]:
    """Rows and columns missing to whole windows."""
    return -grid[0] % window, -grid[1] % window


def partition_windows(maps: Tensor, window: int) -> Tensor:
    """Cut maps into square windows; those at the right and lower edge are zero-padded.

    Args:
        maps: ``(B, rows, cols, D)``.
        window: Side W of a window in tokens.

    Returns:
        ``(B * N, W * W, D)``: the N windows of an image follow each other in raster
        order, and so do the tokens of a window.
    """
    rows, cols = _padding(tuple(maps.shape[1:3]), window)
    maps = F.pad(maps, (0, 0, 0, cols, 0, rows))
    x = maps.unflatten(2, (-1, window)).unflatten(1, (-1, window))
    return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def merge_windows(windows: Tensor, grid: tuple[int, int], window: int) -> Tensor:
    """Put windows together and cut the padding off: undo :func:`partition_windows`.

    Args:
        windows: ``(B * N, W * W, D)``.
        grid: Rows and columns of the maps.
        window: Side W of a window in tokens.

    Returns:
        ``(B, rows, cols, D)``.
    """
    rows, cols = (n + pad for n, pad in zip(grid, _padding(grid, window), strict=True))
    x = windows.unflatten(0, (-1, rows // window, cols // window))
    x = x.unflatten(3, (window, window)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    return x[:, : grid[0], : grid[1]]


def real_tokens(
    grid: tuple[int, int], window: int, device: torch.device | None = None
) -> Tensor | None:
    """Which tokens of the windows are no padding.

    Args:
        grid: Rows and columns of the maps.
        window: Side W of a window in tokens.
        device: Where the result shall lie.

    Returns:
        ``(N, W * W)`` boolean, or ``None`` where all are.
    """
    if not any(_padding(grid, window)):
        return None
    ones = torch.ones((1, *grid, 1), device=device)
    return partition_windows(ones, window)[..., 0] > 0


def relative_position_index(window: int) -> Tensor:
    """Number of the offset between any two tokens of a window.

    Args:
        window: Side W of a window in tokens.

    Returns:
        ``(W * W, W * W)`` int64 in ``[0, (2 W - 1) ** 2)``: row offset times
        ``2 W - 1`` plus column offset, both shifted to start at 0.
    """
    steps = torch.arange(window)
    offsets = steps[:, None] - steps + window - 1  # (W, W)
    table = offsets[:, None, :, None] * (2 * window - 1) + offsets[None, :, None]
    return table.reshape(window**2, window**2)
