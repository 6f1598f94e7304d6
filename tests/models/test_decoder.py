"""The decoder: who sits where, and that nothing else moves."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.models import MaskedDecoder
from dugi_mae.ops import make_token_mask


def toy_decoder(depth: int = 1, **kwargs) -> MaskedDecoder:
    """A decoder 12 wide for tokens 16 wide, every parameter away from its start."""
    kwargs = {'decoder_num_heads': 3, 'img_size': 48, **kwargs}
    decoder = MaskedDecoder(16, 12, depth, **kwargs)
    position = decoder.decoder_pos_embed.clone()
    toys.stir(decoder).decoder_pos_embed.data.copy_(position)
    return decoder


@pytest.mark.parametrize('grid', [(3, 3), (2, 5), (4, 1)])
@pytest.mark.parametrize('channels', [1, 3])
def test_shapes_on_any_grid(grid, channels):
    """``(B, K, D)`` becomes ``(B, L, P * P * C)``, non-square too."""
    total = grid[0] * grid[1]
    decoder = toy_decoder(out_channels=channels, patch_size=8, img_size=24)
    token_mask = toys.random_mask(2, total, 2)
    out = decoder(torch.randn(2, 2, 16), token_mask, grid)
    assert out.shape == (2, total, 64 * channels)


@pytest.mark.parametrize('depth', [0, 1, 3])
@pytest.mark.parametrize('num_extra', [0, 2])
def test_masked_only_is_the_same_with_less_work(depth, num_extra):
    """Values and every gradient equal those of the masked rows of the full output."""
    decoder = toy_decoder(depth=depth, num_extra_tokens=num_extra)
    token_mask = toys.random_mask(2, 8, 3)
    tokens = torch.randn(2, num_extra + 3, 16, requires_grad=True)
    full = decoder(tokens, token_mask, (2, 4))[token_mask.mask.bool()].view(2, 5, -1)
    masked = decoder(tokens, token_mask, (2, 4), masked_only=True)
    torch.testing.assert_close(masked, full)
    learned = [tokens, *(p for p in decoder.parameters() if p.requires_grad)]
    weights = torch.randn_like(full)
    for one, other in zip(
        torch.autograd.grad((masked * weights).sum(), learned),
        torch.autograd.grad((full * weights).sum(), learned),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('grid', [(3, 3), (2, 4)])
@pytest.mark.parametrize('num_extra', [0, 1, 2])
def test_a_visible_token_moves_only_its_own_place(grid, num_extra):
    """Without attention a change of row k shows at place ``ids_keep[k]`` alone."""
    total = grid[0] * grid[1]
    decoder = toy_decoder(depth=0, num_extra_tokens=num_extra)
    token_mask = toys.random_mask(2, total, 4)
    tokens = torch.randn(2, num_extra + 4, 16)
    before = decoder(tokens, token_mask, grid)
    for k in range(4):
        changed = tokens.clone()
        changed[1, num_extra + k] += 1
        moved = (decoder(changed, token_mask, grid) != before).any(dim=-1)
        assert moved.nonzero().tolist() == [[1, token_mask.ids_keep[1, k].item()]]
    if num_extra:
        changed = tokens.clone()
        changed[:, :num_extra] += 1
        assert torch.equal(decoder(changed, token_mask, grid), before)


def test_extra_tokens_take_part_in_the_attention():
    """A class token reaches the predictions through the blocks, and is dropped."""
    decoder = toy_decoder(depth=1, num_extra_tokens=1)
    token_mask = toys.random_mask(1, 9, 3)
    tokens = torch.randn(1, 4, 16)
    out = decoder(tokens, token_mask, (3, 3))
    assert out.shape == (1, 9, 768)
    changed = tokens.clone()
    changed[:, 0] += 1
    assert (decoder(changed, token_mask, (3, 3)) != out).any(dim=-1).all()


def test_order_of_the_visible_tokens_does_not_matter():
    """Rows and ``ids_keep`` permuted together give the same picture."""
    decoder = toy_decoder(depth=2)
    ids = torch.randperm(9)[:4][None]
    tokens = torch.randn(1, 4, 16)
    shuffle = torch.randperm(4)
    one = decoder(tokens, make_token_mask(ids, 9), (3, 3))
    two = decoder(tokens[:, shuffle], make_token_mask(ids[:, shuffle], 9), (3, 3))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


def test_the_position_embedding_is_fixed():
    """Positions are not trained."""
    assert not toy_decoder().decoder_pos_embed.requires_grad


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(img_size=8), 'img_size=8 .*patch_size=16'),
        (dict(decoder_num_heads=5), 'decoder_num_heads=5.*divisor'),
    ],
)
def test_bad_options_are_named(kwargs, match):
    """Options that do not fit fail at build time."""
    with pytest.raises(DuGIError, match=match):
        toy_decoder(**kwargs)


def test_extra_tokens_that_were_not_announced_are_refused():
    """A class token would shift all others: the message names the argument."""
    with pytest.raises(DuGIError, match='num_extra_tokens'):
        toy_decoder()(torch.randn(1, 4, 16), toys.random_mask(1, 9, 3), (3, 3))
