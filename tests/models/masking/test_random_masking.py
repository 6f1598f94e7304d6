"""Random masking: counts, spread and dependence on the random state."""

from __future__ import annotations

import math

import pytest
import torch

from dugi_mae.models import RandomMasking


@pytest.mark.parametrize(
    ('height', 'width', 'ratio'), [(64, 64, 0.75), (48, 80, 0.5), (32, 16, 0.5)]
)
def test_counts(height, width, ratio):
    """K distinct tokens a row, in raster order, and a consistent mask."""
    token_mask = RandomMasking(ratio)(torch.rand(5, 1, height, width))
    total = height // 16 * (width // 16)
    count = total - int(total * ratio)
    assert token_mask.ids_keep.shape == (5, count)
    assert (token_mask.ids_keep.diff(dim=1) > 0).all()
    assert token_mask.mask.sum(dim=1).tolist() == [total - count] * 5
    assert token_mask.mask.gather(1, token_mask.ids_keep).sum() == 0


def test_every_place_is_kept_equally_often():
    """Uniform without replacement: each of 16 places is seen in about 1/4 of draws."""
    draws = 2000
    images = torch.zeros(1, 1, 64, 64).expand(draws, -1, -1, -1)
    kept = RandomMasking(0.75)(images).ids_keep
    share = torch.bincount(kept.flatten(), minlength=16) / draws
    sigma = math.sqrt(0.25 * 0.75 / draws)
    assert (share - 0.25).abs().max() < 5 * sigma
    pairs = torch.bincount((kept[:, 0] * 16 + kept[:, 1]), minlength=256)
    assert (pairs > 0).sum() > 50


def test_draws_differ_and_follow_the_seed():
    """Images of a batch and calls get different masks; a seed brings them back."""
    masking, images = RandomMasking(), torch.zeros(2, 3, 128, 128)
    torch.manual_seed(1)
    first = masking(images).ids_keep
    second = masking(images).ids_keep
    torch.manual_seed(1)
    again = masking(images).ids_keep
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    assert torch.equal(first, again)
