"""Entropy masking on images whose token entropies are known."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.models import EntropyMasking


def image_with_entropy_ranks(ranks: list[int], cols: int, channels: int = 3):
    """Token i has ``ranks[i] + 1`` distinct levels, all but one seen once.

    A histogram ``(256 - n, 1, 1, ...)`` grows in entropy with n, so the ranks order the
    tokens. Where a token's levels lie says nothing about its rank.
    """
    rows = len(ranks) // cols
    image = torch.zeros(rows * 16, cols * 16)
    for token, rank in enumerate(ranks):
        levels = torch.randperm(255)[: rank + 1]
        pixels = levels[-1].repeat(256)
        pixels[: rank + 1] = levels
        pixels = pixels[torch.randperm(256)].view(16, 16)
        top, left = token // cols * 16, token % cols * 16
        image[top : top + 16, left : left + 16] = pixels
    return image.expand(channels, -1, -1).float()


@pytest.mark.parametrize('keep_order', ['raster', 'score'])
@pytest.mark.parametrize('keep', ['highest', 'lowest'])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
    ('rows', 'cols', 'ratio'), [(4, 4, 0.75), (3, 5, 0.5), (2, 6, 0.9)]
)
def test_keeps_exactly_the_designed_tokens(
    rows, cols, ratio, channels, keep, keep_order
):
    """The K tokens of highest (lowest) entropy, in raster order or that of the sort."""
    total = rows * cols
    ranks = [torch.randperm(total).tolist() for _ in range(3)]
    images = torch.stack([image_with_entropy_ranks(r, cols, channels) for r in ranks])
    masking = EntropyMasking(
        ratio, keep=keep, keep_order=keep_order, value_range=(0, 255)
    )
    token_mask = masking(images)
    count = total - int(total * ratio)
    for b in range(3):
        order = sorted(range(total), key=ranks[b].__getitem__, reverse=keep == 'lowest')
        kept = sorted(order[-count:]) if keep_order == 'raster' else order[-count:]
        assert token_mask.ids_keep[b].tolist() == kept
        assert token_mask.mask[b].tolist() == [
            float(i not in kept) for i in range(total)
        ]


def test_ties_keep_the_later_place():
    """Of equal tokens at the border of the choice, and of nothing but equal ones."""
    ranks = [5, 0, 0, 0, 0, 9]
    masking = EntropyMasking(0.5, value_range=(0, 255))
    images = image_with_entropy_ranks(ranks, 3)[None]
    assert masking(images).ids_keep.tolist() == [[0, 4, 5]]
    assert masking(images * 0 + 0.3).ids_keep.tolist() == [[3, 4, 5]]


def test_the_same_image_always_gives_the_same_mask():
    """Deterministic: no random state, no batch neighbour, no mode matters."""
    images = torch.rand(4, 3, 64, 96)
    masking = EntropyMasking()
    first = masking(images)
    torch.manual_seed(123)
    masking.eval()
    for a, b in zip(first, masking(images), strict=True):
        assert torch.equal(a, b)
    for i in range(4):
        alone = masking(images[i : i + 1])
        assert torch.equal(alone.ids_keep[0], first.ids_keep[i])


def test_mask_carries_no_gradient():
    """No tensor of a mask requires grad, whatever the image or estimator does."""
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    for masking in (
        EntropyMasking(),
        EntropyMasking(estimator='softmax', embed_dims=8),
    ):
        assert not any(x.requires_grad for x in masking(images))
        assert not any(p.requires_grad for p in masking.parameters())


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(estimator='histgram'), "did you mean 'histogram'"),
        (dict(keep='high'), "keep='high' is unknown"),
        (dict(num_bins=1), 'num_bins=1 .*nearest is 2'),
        (dict(value_range=(1.0, 1.0)), r'value_range=\(1.0, 1.0\).*\(low, high\)'),
        (dict(mask_ratio=1.0), r'mask_ratio=1.0.*0\.75'),
    ],
)
def test_bad_options_are_named_when_built(kwargs, match):
    """A wrong option fails at build time, not in the first batch."""
    with pytest.raises(DuGIError, match=match):
        EntropyMasking(**kwargs)


@pytest.mark.parametrize('estimator', ['histogram', 'softmax'])
def test_broken_patches_are_refused(estimator):
    """Nothing is cropped silently."""
    with pytest.raises(DuGIError, match='40x32.*multiple of 16'):
        EntropyMasking(estimator=estimator, embed_dims=8)(torch.rand(1, 3, 40, 32))
