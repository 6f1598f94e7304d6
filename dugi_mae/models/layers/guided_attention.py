"""Frequency-guided attention: how guidance enters the visible tokens (paper, Eq. 5)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .attention_block import Mlp, check_heads, merge_heads, split_heads


class _GuidedAttention(nn.Module):
    """Attention whose queries, keys and values are projected apart.

    Keys have no bias: softmax is invariant to it and its gradient is zero.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        check_heads(dim, num_heads)
        self.num_heads = int(num_heads)
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """``softmax(Q K^T / sqrt(d_k)) V`` of projected ``(B, K, D)`` tokens."""
        q, k, v = (split_heads(t, self.num_heads) for t in (query, key, value))
        return self.proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))


class FrequencyInjectionBlock(_GuidedAttention):
    r"""First block: frequency tokens join the keys and values.

    :math:`\mathrm{softmax}(Q (K_s + K_f)^T / \sqrt{d_k}) (V_s + V_f)` with
    :math:`K_s = W_k LN(Z)`, :math:`K_f = W'_k LN(F)` and the same for V. The frequency
    projections carry no bias: that of ``value`` serves both.

    Args:
        dim: D.
        num_heads: Number of attention heads.
        mlp_ratio: Width of the MLP over D.
    """

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__(dim, num_heads)
        self.norm_tokens = nn.LayerNorm(dim, eps=1e-6)
        self.norm_frequency = nn.LayerNorm(dim, eps=1e-6)
        self.key_frequency = nn.Linear(dim, dim, bias=False)
        self.value_frequency = nn.Linear(dim, dim, bias=False)
        self.norm_mlp = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, tokens: Tensor, frequency: Tensor) -> Tensor:
        """Both ``(B, K, D)``, row by row of the same place -> ``(B, K, D)``."""
        z, f = self.norm_tokens(tokens), self.norm_frequency(frequency)
        key = self.key(z) + self.key_frequency(f)
        value = self.value(z) + self.value_frequency(f)
        y = tokens + self.attend(self.query(z), key, value)
        return y + self.mlp(self.norm_mlp(y))


class GuidanceRefinementBlock(_GuidedAttention):
    """Later blocks: the encoder's tokens ask the guidance found so far.

    The query is Z, key and value are Z plus the previous block's output.

    Args:
        dim: D.
        num_heads: Number of attention heads.
        mlp_ratio: Width of the MLP over D.
    """

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__(dim, num_heads)
        self.norm_query = nn.LayerNorm(dim, eps=1e-6)
        self.norm_guided = nn.LayerNorm(dim, eps=1e-6)
        self.norm_mlp = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, tokens: Tensor, guided: Tensor) -> Tensor:
        """Z and the previous output, both ``(B, K, D)`` -> ``(B, K, D)``."""
        source = self.norm_guided(tokens + guided)
        query = self.query(self.norm_query(tokens))
        y = tokens + self.attend(query, self.key(source), self.value(source))
        return y + self.mlp(self.norm_mlp(y))
