"""A pyramid on top of a plain vision transformer."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.models import ViTPyramid


def test_levels_know_their_place():
    """A token moves its own cells on every level and no others."""
    neck = ViTPyramid(8)
    # A transposed view, as mmpretrain's ViT gives it: RoIAlign reads contiguous maps.
    tokens = torch.randn(1, 4, 6, 8).permute(0, 3, 1, 2)
    assert all(x.is_contiguous() for x in neck([tokens]))
    changed = tokens.clone()
    changed[..., 1, 2] += 1
    for level, (before, after) in enumerate(
        zip(neck([tokens]), neck([changed]), strict=True)
    ):
        moved = (before != after).any(dim=1)[0].nonzero()
        scale = 4 / 2**level
        assert len(moved) > 0
        for row, col in moved.tolist():
            assert (int(row / scale), int(col / scale)) == (1, 2) or level == 3
            if level == 3:
                assert (row, col) == (0, 1)


def test_all_parameters_learn():
    """No parameter is unused: distributed training would refuse it."""
    neck = ViTPyramid(8)
    sum((x**2).sum() for x in neck([torch.randn(1, 8, 4, 4)])).backward()
    assert all(p.grad.abs().max() > 0 for p in neck.parameters())


def test_more_than_one_map_is_refused():
    """The message says which backbone option to set."""
    with pytest.raises(DuGIError, match='got 2 maps.*out_indices=-1'):
        ViTPyramid(8)([torch.zeros(1, 8, 4, 4)] * 2)
