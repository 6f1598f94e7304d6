"""Self-attention within windows, for images too large for attention over all tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.ops import (
    merge_windows,
    partition_windows,
    real_tokens,
    relative_position_index,
)

from .attention_block import SelfAttention, merge_heads, split_heads


class WindowAttention(SelfAttention):
    """Multi-head self-attention within square windows of a grid of tokens.

    Windows do not overlap and are not shifted; blocks without windows in between carry
    information from one to the next. Windows at the right and lower edge may be partly
    empty: nothing attends to the places beyond the grid. The cost grows linearly with
    the number of tokens.

    Args:
        dim: D.
        num_heads: Number of heads, a divisor of D.
        window_size: Side W of a window in tokens.
        rel_pos_bias: Learn a bias for each head and offset between two tokens. It
            starts at zero: a pre-trained encoder begins with what it has learned.
    """

    def __init__(
        self, dim: int, num_heads: int, window_size: int, rel_pos_bias: bool = False
    ) -> None:
        super().__init__(dim, num_heads)
        self.window_size = int(window_size)
        self.rel_pos_bias = None
        if rel_pos_bias:
            self.rel_pos_bias = nn.Parameter(
                torch.zeros((2 * window_size - 1) ** 2, num_heads)
            )
            self.register_buffer(
                'offsets', relative_position_index(window_size), persistent=False
            )

    def _bias(self, grid: tuple[int, int], batch: int, like: Tensor) -> Tensor | None:
        """What is added to the attention logits, for all windows of a batch."""
        real = real_tokens(grid, self.window_size, like.device)
        if self.rel_pos_bias is None:
            return None if real is None else real[:, None, None].repeat(batch, 1, 1, 1)
        bias = self.rel_pos_bias[self.offsets].permute(2, 0, 1).to(like.dtype)
        if real is None:
            return bias
        bias = bias.masked_fill(~real[:, None, None], -torch.inf)  # (N, heads, W², W²)
        return bias.repeat(batch, 1, 1, 1)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``, ``L = rows * cols`` of the grid."""
        maps = partition_windows(x.unflatten(1, grid), self.window_size)
        q, k, v = (split_heads(t, self.num_heads) for t in self.qkv(maps).chunk(3, -1))
        out = F.scaled_dot_product_attention(q, k, v, self._bias(grid, len(x), q))
        windows = self.proj(merge_heads(out))
        return merge_windows(windows, grid, self.window_size).flatten(1, 2)
