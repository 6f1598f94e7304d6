"""Grey-value masking against a slow ranking."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.models import GreyValueMasking


def slow_choice(brightness: list[float], ratio: float) -> list[int]:
    """Ranks ``floor(i * L / K)`` of an ascending stable sort, in raster order."""
    total = len(brightness)
    count = total - int(total * ratio)
    order = sorted(range(total), key=brightness.__getitem__)
    return sorted(order[i * total // count] for i in range(count))


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
    ('rows', 'cols', 'ratio'), [(4, 4, 0.75), (3, 5, 0.6), (2, 7, 0.5), (3, 3, 0.75)]
)
def test_pixel_score_equals_the_slow_ranking(rows, cols, ratio, channels):
    """Tokens are ranked by their mean over pixels and channels."""
    images = torch.randn(2, channels, rows * 16, cols * 16)
    kept = GreyValueMasking(ratio)(images).ids_keep
    for b in range(2):
        brightness = []
        for token in range(rows * cols):
            top, left = token // cols * 16, token % cols * 16
            patch = images[b, :, top : top + 16, left : left + 16]
            brightness.append(patch.double().mean().item())
        assert kept[b].tolist() == slow_choice(brightness, ratio)


def test_every_fourth_rank_at_three_quarters():
    """On a ramp of brightness the kept tokens are 0, 4, 8, 12."""
    ramp = torch.arange(16.0).view(1, 1, 4, 4)
    image = ramp.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    assert GreyValueMasking()(image).ids_keep.tolist() == [[0, 4, 8, 12]]
    assert GreyValueMasking()(-image).ids_keep.tolist() == [[3, 7, 11, 15]]
    # Ties are broken by the raster index.
    assert GreyValueMasking()(0 * image).ids_keep.tolist() == [[0, 4, 8, 12]]


def test_score_order_lists_the_kept_tokens_by_brightness():
    """``keep_order='score'`` keeps the same tokens, the darkest first."""
    images = torch.randn(2, 3, 48, 80)
    raster = GreyValueMasking()(images)
    score = GreyValueMasking(keep_order='score')(images)
    assert torch.equal(score.mask, raster.mask)
    brightness = images.unfold(2, 16, 16).unfold(3, 16, 16).mean(dim=(1, 4, 5))
    kept = brightness.flatten(1).gather(1, score.ids_keep)
    assert (kept.diff(dim=1) > 0).all()


def test_deterministic_and_without_gradient():
    """The same image gives the same mask, alone or in a batch, without gradient."""
    images = torch.rand(3, 3, 64, 64, requires_grad=True)
    masking = GreyValueMasking()
    together = masking(images)
    assert not any(x.requires_grad for x in together)
    for i in range(3):
        alone = masking(images[i : i + 1])
        assert torch.equal(alone.ids_keep[0], together.ids_keep[i])
        assert torch.equal(alone.ids_restore[0], together.ids_restore[i])


@pytest.mark.parametrize('name', ['score', 'keep_order'])
def test_bad_options_are_named(name):
    """An unknown score or order fails when built."""
    with pytest.raises(DuGIError, match=f"{name}='x' is unknown"):
        GreyValueMasking(**{name: 'x'})


def test_broken_patches_are_refused():
    """Nothing is cropped silently."""
    with pytest.raises(DuGIError, match='40x40.*multiple of 16'):
        GreyValueMasking()(torch.rand(1, 3, 40, 40))
