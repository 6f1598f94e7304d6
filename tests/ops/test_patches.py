"""Cutting images into tokens and putting them together."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.ops import (
    gather_patches,
    gather_tokens,
    patch_grid,
    patchify,
    unpatchify,
)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
    ('height', 'width', 'patch'), [(16, 16, 16), (32, 48, 16), (12, 4, 4), (6, 10, 2)]
)
def test_patchify_layout_and_round_trip(height, width, patch, channels):
    """Tokens in raster order, rows then columns then channel inside a token."""
    images = torch.rand(2, channels, height, width)
    tokens = patchify(images, patch)
    rows, cols = height // patch, width // patch
    assert patch_grid(images, patch) == (rows, cols)
    assert tokens.shape == (2, rows * cols, patch * patch * channels)
    for token in range(rows * cols):
        top, left = token // cols * patch, token % cols * patch
        want = [
            images[1, c, top + y, left + x].item()
            for y in range(patch)
            for x in range(patch)
            for c in range(channels)
        ]
        assert tokens[1, token].tolist() == want
    assert torch.equal(unpatchify(tokens, (rows, cols), patch), images)


@pytest.mark.parametrize(
    ('shape', 'match'),
    [
        ((1, 3, 15, 64), '15x64 .*multiple of 16'),
        ((1, 3, 64, 17), '64x17 .*multiple of 16'),
        ((3, 64, 64), r'\(3, 64, 64\): expected \(B, C, H, W\)'),
    ],
)
def test_patch_grid_refuses_broken_patches(shape, match):
    """An image that is not made of complete patches is refused, with its size."""
    with pytest.raises(DuGIError, match=match):
        patch_grid(torch.zeros(shape), 16)


def test_gathered_patches_are_those_of_patchify():
    """Of each image its own tokens, in any order, and gradients for these alone."""
    images = torch.randn(2, 3, 8, 12, requires_grad=True)
    ids = torch.tensor([[5, 0], [3, 3]])
    patches = gather_patches(images, ids, 4)
    assert patches.shape == (2, 2, 3, 4, 4)
    tokens = patches.movedim(2, -1).flatten(2)
    assert torch.equal(tokens, gather_tokens(patchify(images, 4), ids))
    patches.sum().backward()
    assert images.grad.sum(dim=(1, 2, 3)).tolist() == [2 * 48, 2 * 48]
    assert images.grad[0, 0, :4, 4:8].abs().sum() == 0
