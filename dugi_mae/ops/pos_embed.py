"""Fixed 2-D sine-cosine position embeddings, for any grid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dugi_mae.errors import DuGIError


def sincos_pos_embed(grid: tuple[int, int], dim: int) -> Tensor:
    """Sine-cosine embedding of a grid of tokens, as MAE lays it out.

    The first half of the channels encodes the column, the second half the row; each
    half is sines, then cosines, of frequencies ``10000 ** (-2 i / (dim / 2))``.

    Args:
        grid: Rows and columns.
        dim: D, divisible by 4.

    Returns:
        ``(1, rows * cols, D)`` float32 in raster order.
    """
    if dim % 4:
        raise DuGIError(f'position embedding of width {dim}: it must divide by 4')
    omega = torch.arange(dim // 4, dtype=torch.float64) / (dim // 4)
    omega = 1.0 / 10000**omega
    rows, cols = (torch.arange(n, dtype=torch.float64) for n in grid)

    def encode(positions: Tensor) -> Tensor:
        angles = positions[:, None] * omega
        return torch.cat([angles.sin(), angles.cos()], dim=1)  # (n, D / 2)

    row_part = encode(rows)[:, None].expand(-1, len(cols), -1)
    col_part = encode(cols)[None].expand(len(rows), -1, -1)
    embed = torch.cat([col_part, row_part], dim=-1)
    return embed.reshape(1, -1, dim).float()


def resize_pos_embed(
    pos_embed: Tensor, source: tuple[int, int], target: tuple[int, int]
) -> Tensor:
    """Bicubic interpolation of a position embedding to another grid.

    Args:
        pos_embed: ``(1, L, D)`` on the ``source`` grid, raster order.
        source: Rows and columns it was made for.
        target: Rows and columns wanted, non-square too.

    Returns:
        ``(1, rows * cols, D)``; the input itself when the grids are equal.
    """
    if source == target:
        return pos_embed
    dim = pos_embed.shape[-1]
    maps = pos_embed.reshape(1, *source, dim).permute(0, 3, 1, 2)
    maps = F.interpolate(maps.float(), target, mode='bicubic', align_corners=False)
    return maps.permute(0, 2, 3, 1).reshape(1, -1, dim).to(pos_embed.dtype)
