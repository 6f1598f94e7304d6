"""Cutting images into tokens and putting them together again."""

from __future__ import annotations

import torch
from torch import Tensor

from dugi_mae.errors import DuGIError


def patch_grid(images: Tensor, patch_size: int) -> tuple[int, int]:
    """Rows and columns of tokens in a batch of images.

    Args:
        images: ``(B, C, H, W)``.
        patch_size: Side of a token in pixels.

    Returns:
        ``(H // patch_size, W // patch_size)``.

    Raises:
        DuGIError: If the image is not made of whole patches.
    """
    if images.dim() != 4:
        raise DuGIError(
            f'images of shape {tuple(images.shape)}: expected (B, C, H, W); '
            'add the missing dimension with images[None]'
        )
    height, width = images.shape[-2:]
    if height % patch_size or width % patch_size:
        raise DuGIError(
            f'image of {height}x{width} pixels is not made of whole '
            f'{patch_size}x{patch_size} patches: crop or pad it to a multiple of '
            f'{patch_size} first'
        )
    return height // patch_size, width // patch_size


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into tokens of raw pixels.

    Args:
        images: ``(B, C, H, W)``.
        patch_size: Side P of a token in pixels.

    Returns:
        ``(B, L, P * P * C)``, tokens in raster order, the channel fastest within a
        token (the layout of MAE's prediction head).
    """
    rows, cols = patch_grid(images, patch_size)
    batch, channels = images.shape[:2]
    x = images.reshape(batch, channels, rows, patch_size, cols, patch_size)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * cols, -1)


def gather_patches(images: Tensor, ids: Tensor, patch_size: int) -> Tensor:
    """Cut some tokens out of images; the rest is never copied.

    Args:
        images: ``(B, C, H, W)``.
        ids: ``(B, K)`` raster indices of tokens.
        patch_size: Side P of a token in pixels.

    Returns:
        ``(B, K, C, P, P)``.
    """
    rows, cols = patch_grid(images, patch_size)
    batch, channels = images.shape[:2]
    x = images.reshape(batch, channels, rows, patch_size, cols, patch_size)
    image = torch.arange(batch, device=ids.device)[:, None]
    return x.permute(0, 2, 4, 1, 3, 5)[image, ids // cols, ids % cols]


def unpatchify(tokens: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """Put tokens of raw pixels together: the inverse of :func:`patchify`.

    Args:
        tokens: ``(B, L, P * P * C)``.
        grid: Rows and columns of tokens, ``L = rows * cols``.
        patch_size: Side P of a token in pixels.

    Returns:
        ``(B, C, H, W)``.
    """
    rows, cols = grid
    x = tokens.reshape(len(tokens), rows, cols, patch_size, patch_size, -1)
    x = x.permute(0, 5, 1, 3, 2, 4)
    return x.reshape(len(tokens), -1, rows * patch_size, cols * patch_size)
