"""Convolution on visible cells against the zeroed dense map."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from dugi_mae.ops import conv_on_cells, make_token_mask, neighbour_rows


@pytest.mark.parametrize('margin', [0, 1, 2])
@pytest.mark.parametrize('scale', [1, 2, 4])
@pytest.mark.parametrize('grid', [(2, 2), (3, 5)])
def test_neighbours_are_listed_token_by_token(grid, scale, margin):
    """Rows in the order of ``ids_keep``, raster order inside a token and around it."""
    rows, cols = grid
    ids_keep = torch.stack([torch.randperm(rows * cols)[:3] for _ in range(2)])
    listed = {}
    for b, ids in enumerate(ids_keep.tolist()):
        for token in ids:
            top, left = token // cols * scale, token % cols * scale
            for y, x in itertools.product(range(scale), repeat=2):
                listed[b, top + y, left + x] = len(listed)
    want = []
    for b, ids in enumerate(ids_keep.tolist()):
        for token in ids:
            top, left = token // cols * scale, token % cols * scale
            for y, x in itertools.product(range(-margin, scale + margin), repeat=2):
                want.append(listed.get((b, top + y, left + x), len(listed)))
    token_mask = make_token_mask(ids_keep, rows * cols)
    found = neighbour_rows(token_mask, grid, scale, margin)
    assert found.shape == (6, scale + 2 * margin, scale + 2 * margin)
    assert found.flatten().tolist() == want


@pytest.mark.parametrize('scale', [1, 2, 4])
@pytest.mark.parametrize('grid', [(2, 2), (3, 4), (1, 5)])
@pytest.mark.parametrize('bias', [True, False])
def test_conv_on_cells_equals_the_zeroed_dense_conv(grid, scale, bias):
    """At visible cells the result is that of the map with zeros at masked ones."""
    rows, cols = grid
    channels, batch = 3, 2
    height, width = rows * scale, cols * scale
    conv = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=bias)
    dense = torch.randn(batch, channels, height, width)
    keep = max(1, rows * cols // 2)
    ids_keep = torch.stack([torch.randperm(rows * cols)[:keep] for _ in range(batch)])
    token_mask = make_token_mask(ids_keep, rows * cols)

    zeroed = torch.zeros_like(dense)
    patches = []
    for b in range(batch):
        for token in ids_keep[b].tolist():
            top, left = token // cols * scale, token % cols * scale
            part = (b, slice(None), slice(top, top + scale), slice(left, left + scale))
            zeroed[part] = dense[part]
            patches.append(dense[part])
    patches = torch.stack(patches).requires_grad_()
    neighbours = neighbour_rows(token_mask, grid, scale, 2)
    got = conv_on_cells(conv, patches, neighbours)

    zeroed.requires_grad_()
    want = conv(zeroed)

    def cut(maps: torch.Tensor) -> torch.Tensor:
        parts = []
        for b in range(batch):
            for token in ids_keep[b].tolist():
                top, left = token // cols * scale, token % cols * scale
                parts.append(maps[b, :, top : top + scale, left : left + scale])
        return torch.stack(parts)

    inputs = [*conv.parameters()]
    found = torch.autograd.grad(got.square().sum(), [patches, *inputs])
    *wanted, dense_grad = torch.autograd.grad(
        cut(want).square().sum(), [*inputs, zeroed]
    )
    pairs = zip([got, *found], [cut(want), cut(dense_grad), *wanted], strict=True)
    for value, expected in pairs:
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)
