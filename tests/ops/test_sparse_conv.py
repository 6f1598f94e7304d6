"""Convolution on visible cells against the zeroed dense map."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dugi_mae.ops import conv_on_cells, make_token_mask, visible_cells


@pytest.mark.parametrize('scale', [1, 2, 4])
@pytest.mark.parametrize('grid', [(2, 2), (3, 5)])
def test_visible_cells_are_listed_token_by_token(grid, scale):
    """Cells come in the order of ``ids_keep``, raster order inside a token."""
    rows, cols = grid
    ids_keep = torch.stack([torch.randperm(rows * cols)[:3] for _ in range(2)])
    token_mask = make_token_mask(ids_keep, rows * cols)
    want = []
    for b in range(2):
        for token in ids_keep[b].tolist():
            for y in range(scale):
                for x in range(scale):
                    row = token // cols * scale + y
                    col = token % cols * scale + x
                    want.append((b * rows * scale + row) * cols * scale + col)
    assert visible_cells(token_mask, grid, scale).tolist() == want


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
    cells = visible_cells(token_mask, grid, scale)
    got = conv_on_cells(conv, patches, cells, (batch, height, width))

    want = conv(zeroed)
    row = 0
    for b in range(batch):
        for token in ids_keep[b].tolist():
            top, left = token // cols * scale, token % cols * scale
            expected = want[b, :, top : top + scale, left : left + scale]
            torch.testing.assert_close(got[row], expected, rtol=0, atol=1e-5)
            row += 1
    got.square().sum().backward()
    assert patches.grad.shape == patches.shape
    assert patches.grad.abs().sum() > 0


def test_conv_on_cells_does_not_mix_images():
    """The first image's result does not change with the second's pixels."""
    conv = nn.Conv2d(2, 2, 5, padding=2, groups=2)
    token_mask = make_token_mask(torch.tensor([[0, 3], [2, 3]]), 4)
    cells = visible_cells(token_mask, (2, 2), 2)
    patches = torch.randn(4, 2, 2, 2)
    other = torch.cat([patches[:2], patches[2:] + 5])
    first = conv_on_cells(conv, patches, cells, (2, 4, 4))
    second = conv_on_cells(conv, other, cells, (2, 4, 4))
    assert torch.equal(first[:2], second[:2])
    assert not torch.equal(first[2:], second[2:])
