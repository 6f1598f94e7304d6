"""Which tokens are seen: the mask itself and moving tokens in and out of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dugi_mae.errors import DuGIError, check_choice


class TokenMask(NamedTuple):
    """The tokens of a batch that an encoder sees (MAE's conventions).

    Attributes:
        ids_keep: ``(B, K)`` int64, raster indices of the visible tokens.
        ids_restore: ``(B, L)`` int64, for every place the row of its token in
            ``cat(visible, masked)``.
        mask: ``(B, L)`` float32, 0 = visible, 1 = masked.
    """

    ids_keep: Tensor
    ids_restore: Tensor
    mask: Tensor

    @property
    def ids_masked(self) -> Tensor:
        """``(B, L - K)`` int64, raster indices of the masked tokens, ascending."""
        # Of the mask: ids_restore may have the masked tokens in any order.
        masked_first = self.mask.argsort(dim=1, descending=True, stable=True)
        return masked_first[:, : self.mask.shape[1] - self.ids_keep.shape[1]]


def num_visible(num_tokens: int, mask_ratio: float) -> int:
    """Number of tokens an encoder sees, ``L - int(L * ratio)`` (paper, Eq. 2).

    Raises:
        DuGIError: If no token or every token would be visible.
    """
    keep = num_tokens - int(num_tokens * mask_ratio)
    if not 1 <= keep <= num_tokens - 1:
        raise DuGIError(
            f'mask_ratio={mask_ratio} keeps {keep} of {num_tokens} tokens: at least '
            'one must be visible and one masked, choose a ratio such as 0.75'
        )
    return keep


@torch.no_grad()
def make_token_mask(ids_keep: Tensor, num_tokens: int) -> TokenMask:
    """Complete a choice of visible tokens to a :class:`TokenMask`.

    Args:
        ids_keep: ``(B, K)`` int64, distinct indices; their order is kept.
        num_tokens: L.
    """
    mask = torch.ones(len(ids_keep), num_tokens, device=ids_keep.device)
    mask.scatter_(1, ids_keep, 0.0)
    # Masked tokens follow the visible ones in raster order.
    masked_first = mask.argsort(dim=1, descending=True, stable=True)
    ids_masked = masked_first[:, : num_tokens - ids_keep.shape[1]]
    ids_restore = torch.cat([ids_keep, ids_masked], dim=1).argsort(dim=1)
    return TokenMask(ids_keep, ids_restore, mask)


@torch.no_grad()
def keep_by_score(
    scores: Tensor,
    mask_ratio: float,
    keep: str = 'highest',
    keep_order: str = 'raster',
) -> TokenMask:
    """Keep the K tokens of highest (or lowest) score (paper, Eq. 2).

    Tokens are sorted stably with the ones to keep at the end and the last K stay, so
    of equal scores at the border the later ones in raster order are kept.

    Args:
        scores: ``(B, L)``.
        mask_ratio: Share of the tokens to mask.
        keep: ``'highest'`` or ``'lowest'``.
        keep_order: Order of ``ids_keep``: ``'raster'``, or ``'score'`` for the order
            of the sort (the released code's).

    Raises:
        DuGIError: If the ratio keeps no or every token, or an option is unknown.
    """
    check_choice('keep', keep, ('highest', 'lowest'))
    check_choice('keep_order', keep_order, ('raster', 'score'))
    num_tokens = scores.shape[1]
    num_masked = num_tokens - num_visible(num_tokens, mask_ratio)
    order = scores.argsort(dim=1, descending=keep == 'lowest', stable=True)
    ids_keep = order[:, num_masked:]
    if keep_order == 'raster':
        ids_keep = ids_keep.sort(dim=1).values
    return make_token_mask(ids_keep, num_tokens)


def check_mask(token_mask: TokenMask, batch: int, grid: tuple[int, int]) -> None:
    """Raise unless a mask was made for these images.

    Args:
        token_mask: Which tokens are visible.
        batch: B, the number of images.
        grid: Their rows and columns of tokens.

    Raises:
        DuGIError: If the mask has another number of images or of tokens.
    """
    rows, cols = grid
    masks, num_tokens = token_mask.mask.shape
    if (masks, num_tokens) != (batch, rows * cols) or len(token_mask.ids_keep) != batch:
        images = ['1 image' if n == 1 else f'{n} images' for n in (batch, masks)]
        raise DuGIError(
            f'{images[0]} of {rows}x{cols} tokens met a token mask for {images[1]} of '
            f'{num_tokens} tokens: mask the same images, with one patch_size everywhere'
        )


def gather_tokens(tokens: Tensor, ids: Tensor) -> Tensor:
    """Take tokens by index: ``(B, L, D)`` and ``(B, K)`` -> ``(B, K, D)``."""
    return tokens.gather(1, ids.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def restore_tokens(
    visible: Tensor, mask_token: Tensor, token_mask: TokenMask
) -> Tensor:
    """Put visible tokens back to their own places and fill the rest.

    Args:
        visible: ``(B, K, D)``, row k belongs to place ``ids_keep[:, k]``.
        mask_token: Broadcastable to ``(B, L - K, D)``, put at the masked places.
        token_mask: The mask that chose the visible tokens.

    Returns:
        ``(B, L, D)`` in raster order.

    Raises:
        DuGIError: If there are not K tokens.
    """
    if visible.shape[1] != token_mask.ids_keep.shape[1]:
        raise DuGIError(
            f'{visible.shape[1]} visible tokens do not go with a mask that chose '
            f'{token_mask.ids_keep.shape[1]}: set num_extra_tokens to the number of '
            "leading tokens without a place, 1 for a ViT's class token"
        )
    batch, num_tokens = token_mask.ids_restore.shape
    fill = mask_token.to(visible.dtype).expand(
        batch, num_tokens - visible.shape[1], visible.shape[2]
    )
    return gather_tokens(torch.cat([visible, fill], dim=1), token_mask.ids_restore)


def grid_mask(token_mask: TokenMask, grid: tuple[int, int], scale: int = 1) -> Tensor:
    """The visible tokens as a map on a finer grid.

    Args:
        token_mask: L tokens.
        grid: Rows and columns of tokens.
        scale: One token becomes ``scale x scale`` cells.

    Returns:
        ``(B, 1, rows * scale, cols * scale)`` float32, 1 = visible, 0 = masked.
    """
    visible = 1 - token_mask.mask
    visible = visible.reshape(-1, 1, *grid)
    return visible.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
