"""The usual pre-norm transformer block."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.ops import gather_tokens

from .drop_path import DropPath


def check_heads(dim: int, num_heads: int, name: str = 'num_heads') -> None:
    """Raise unless ``dim`` splits evenly into heads; ``name`` is the argument's."""
    if num_heads < 1 or dim % num_heads:
        raise DuGIError(
            f'{dim} channels do not split into {name}={num_heads} equal heads: '
            'choose a divisor'
        )


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """``(B, L, D)`` -> ``(B, heads, L, D / heads)``."""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """``(B, heads, L, D / heads)`` -> ``(B, L, D)``."""
    return x.transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """Two linear layers with GELU between them.

    Args:
        dim: Channels of input and output.
        hidden_dim: Channels between the layers.
        layer: ``nn.Linear`` for tokens ``(B, L, D)``, a 1x1 convolution for maps.
    """

    def __init__(
        self,
        dim: int,
        hidden_dim: int,
        layer: Callable[[int, int], nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self.fc1 = layer(dim, hidden_dim)
        self.act = nn.GELU()
        self.fc2 = layer(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens or maps -> the same shape."""
        return self.fc2(self.act(self.fc1(x)))


class SelfAttention(nn.Module):
    """Multi-head self-attention through ``scaled_dot_product_attention``.

    Args:
        dim: D.
        num_heads: Number of heads, a divisor of D.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        check_heads(dim, num_heads)
        self.num_heads = int(num_heads)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self,
        x: Tensor,
        grid: tuple[int, int] | None = None,
        queries: Tensor | None = None,
    ) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``; the same on any ``grid``.

        With ``queries`` ``(B, R, D)`` only these look at ``x``: -> ``(B, R, D)``.
        """
        if queries is None:
            parts = self.qkv(x).chunk(3, -1)
        else:
            dim = self.proj.in_features
            weights = self.qkv.weight.split([dim, 2 * dim])
            biases = self.qkv.bias.split([dim, 2 * dim])
            keys_values = F.linear(x, weights[1], biases[1]).chunk(2, -1)
            parts = F.linear(queries, weights[0], biases[0]), *keys_values
        q, k, v = (split_heads(t, self.num_heads) for t in parts)
        return self.proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))


class AttentionBlock(nn.Module):
    """Pre-norm residual block: self-attention, then MLP.

    Args:
        dim: D.
        num_heads: Number of attention heads.
        mlp_ratio: Width of the MLP over D.
        drop_path: Probability of dropping a residual branch.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = SelfAttention(dim, num_heads)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.gamma_1 = self.gamma_2 = None

    def add_layer_scale(self) -> None:
        """Multiply each residual branch by a factor a channel, which starts at 1."""
        # Named as in MCMAE's fine-tuned checkpoints.
        dim = self.norm1.normalized_shape
        self.gamma_1, self.gamma_2 = (nn.Parameter(torch.ones(dim)) for _ in range(2))

    def forward(
        self,
        x: Tensor,
        grid: tuple[int, int] | None = None,
        ids: Tensor | None = None,
    ) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``; windows need the ``grid`` of the tokens.

        With ``ids`` ``(B, R)`` only these tokens are computed, from all of them:
        -> ``(B, R, D)``. For attention without windows.
        """
        y = self.norm1(x)
        if ids is None:
            y = self.attn(y, grid)
        else:
            y, x = self.attn(y, grid, gather_tokens(y, ids)), gather_tokens(x, ids)
        x = x + self.drop_path(_scale(y, self.gamma_1))
        return x + self.drop_path(_scale(self.mlp(self.norm2(x)), self.gamma_2))


def _scale(x: Tensor, gamma: Tensor | None) -> Tensor:
    return x if gamma is None else x * gamma
