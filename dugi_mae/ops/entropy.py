"""Token entropy: how much each 16x16 patch of an infrared image has to tell."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from dugi_mae.errors import DuGIError
from dugi_mae.ops.patches import patch_grid

# n log2 n is tabulated in fixed point, so that sums over histogram bins are exact
# integers: equal histograms get equal entropies whatever the order of their bins,
# and ties between tokens are true ties on every device. 2**36 leaves 26 bits for the
# sum (patches up to 1024x1024 pixels).
_FIXED_POINT = 2.0**36


@functools.lru_cache(maxsize=16)
def _n_log2_n(num_pixels: int, device: torch.device) -> Tensor:
    """Fixed-point ``n * log2(n)`` for ``n = 0..num_pixels``, int64."""
    # On the CPU whatever the default device is, and equal on all of them.
    n = torch.arange(num_pixels + 1, dtype=torch.float64, device='cpu')
    log2 = torch.log(torch.tensor(2.0, device='cpu')).double()
    table = torch.special.xlogy(n, n) / log2 * _FIXED_POINT
    return table.round().long().to(device)


@torch.no_grad()
def token_entropy(
    images: Tensor,
    patch_size: int = 16,
    num_bins: int = 256,
    value_range: tuple[float, float] | None = None,
) -> Tensor:
    r"""Shannon entropy of every token's intensity histogram (paper, Eq. 1).

    :math:`EN(m_i) = -\sum_j P(h_j) \log_2 P(h_j)`. The intensity is the channel mean
    in fp32, quantised to ``num_bins`` levels over ``value_range``.

    Args:
        images: ``(B, C, H, W)``, any units, H and W multiples of ``patch_size``.
        patch_size: Side of a token in pixels.
        num_bins: Number of intensity levels J.
        value_range: ``(lo, hi)`` in the units of ``images``, values outside it are
            clamped; ``None`` takes the least and greatest finite value of each image.

    Returns:
        ``(B, L)`` float32, in bits, between 0 and ``log2(min(J, patch_size**2))``.
        0 everywhere for a constant image.

    Raises:
        DuGIError: If an argument is out of range or the image is not made of whole
            patches.
    """
    if num_bins < 2:
        raise DuGIError(f'num_bins={num_bins}: a histogram needs at least 2 bins')
    grid = patch_grid(images, patch_size)
    grey = images.detach().float().mean(dim=1)  # (B, H, W)
    if value_range is None:
        finite = grey.isfinite()
        low = grey.where(finite, torch.inf).amin(dim=(1, 2), keepdim=True)
        high = grey.where(finite, -torch.inf).amax(dim=(1, 2), keepdim=True)
    else:
        low, high = (grey.new_tensor(x) for x in value_range)
        if not low < high:
            raise DuGIError(f'value_range={value_range}: give (low, high), low < high')
    span = high - low
    scaled = (grey - low) / torch.where(span > 0, span, torch.ones_like(span))
    levels = (scaled * (num_bins - 1)).round()
    # Pixels that are not numbers count as the lowest level, inf as the highest.
    levels = levels.nan_to_num(0).clamp(0, num_bins - 1).long()

    batch, num_pixels = len(images), patch_size**2
    tokens = levels.reshape(batch, grid[0], patch_size, grid[1], patch_size)
    tokens = tokens.permute(0, 1, 3, 2, 4).reshape(batch * grid[0] * grid[1], -1)
    counts = tokens.new_zeros(len(tokens), num_bins)
    counts.scatter_add_(1, tokens, torch.ones_like(tokens))
    table = _n_log2_n(num_pixels, images.device)
    # H = log2 N - (1/N) sum n log2 n
    bits = (table[num_pixels] - table[counts].sum(dim=1)).double()
    return (bits / (_FIXED_POINT * num_pixels)).float().reshape(batch, -1)


@torch.no_grad()
def softmax_entropy(embeddings: Tensor, eps: float = 1e-9) -> Tensor:
    """Entropy of a softmax over channels, the estimator of the released code.

    Args:
        embeddings: ``(B, L, D)`` token embeddings.
        eps: Lower clamp of the probabilities.

    Returns:
        ``(B, L)`` float32, in nats.
    """
    prob = embeddings.detach().float().softmax(dim=-1).clamp(min=eps)
    return -(prob * prob.log()).sum(dim=-1)
