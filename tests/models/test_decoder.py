"""The decoder: who sits where, and that nothing else moves."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dugi_mae.models import MaskedDecoder
from dugi_mae.ops import make_token_mask, sincos_pos_embed


def toy_decoder(depth: int = 1, **kwargs) -> MaskedDecoder:
    """A decoder 12 wide for tokens 16 wide, every parameter away from its start."""
    decoder = MaskedDecoder(
        embed_dims=16,
        decoder_embed_dims=12,
        decoder_depth=depth,
        decoder_num_heads=3,
        **{'img_size': 48, 'patch_size': 16, 'out_channels': 3, **kwargs},
    )
    for name, p in decoder.named_parameters():
        if name != 'decoder_pos_embed':
            p.data += 0.1 * torch.randn_like(p)
    return decoder


@pytest.mark.parametrize('grid', [(3, 3), (2, 5), (4, 1)])
@pytest.mark.parametrize('channels', [1, 3])
def test_shapes_on_any_grid(grid, channels, random_mask):
    """``(B, K, D)`` becomes ``(B, L, P * P * C)``, non-square too."""
    total = grid[0] * grid[1]
    decoder = toy_decoder(out_channels=channels, patch_size=8, img_size=24)
    token_mask = random_mask(2, total, 2)
    out = decoder(torch.randn(2, 2, 16), token_mask, grid)
    assert out.shape == (2, total, 64 * channels)


@pytest.mark.parametrize('depth', [0, 1, 3])
@pytest.mark.parametrize('num_extra', [0, 2])
def test_masked_only_is_the_same_with_less_work(depth, num_extra, random_mask):
    """Values and every gradient equal those of the masked rows of the full output."""
    decoder = toy_decoder(depth=depth, num_extra_tokens=num_extra)
    token_mask = random_mask(2, 8, 3)
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
def test_a_visible_token_moves_only_its_own_place(grid, num_extra, random_mask):
    """Without attention a change of row k shows at place ``ids_keep[k]`` alone."""
    total = grid[0] * grid[1]
    decoder = toy_decoder(depth=0, num_extra_tokens=num_extra)
    token_mask = random_mask(2, total, 4)
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


@pytest.mark.parametrize('grid', [(3, 3), (2, 4)])
def test_places_hold_token_or_mask_token_plus_position(grid, random_mask):
    """The input of the blocks, place by place, and the way out, spelt out."""
    total = grid[0] * grid[1]
    decoder = toy_decoder(depth=0)
    token_mask = random_mask(1, total, 3)
    tokens = torch.randn(1, 3, 16)
    out = decoder(tokens, token_mask, grid)[0]
    position = sincos_pos_embed((3, 3), 12)
    if grid != (3, 3):
        maps = position.reshape(1, 3, 3, 12).permute(0, 3, 1, 2)
        maps = F.interpolate(maps, grid, mode='bicubic', align_corners=False)
        position = maps.permute(0, 2, 3, 1).reshape(1, -1, 12)
    kept = token_mask.ids_keep[0].tolist()
    state = decoder.state_dict()
    for place in range(total):
        if place in kept:
            token = tokens[0, kept.index(place)]
            x = state['decoder_embed.weight'] @ token + state['decoder_embed.bias']
        else:
            x = state['mask_token'][0, 0]
        x = x + position[0, place]
        x = (x - x.mean()) / (x.var(correction=0) + 1e-6).sqrt()
        x = x * state['decoder_norm.weight'] + state['decoder_norm.bias']
        want = state['decoder_pred.weight'] @ x + state['decoder_pred.bias']
        torch.testing.assert_close(out[place], want, rtol=0, atol=1e-5)


def test_extra_tokens_take_part_in_the_attention(random_mask):
    """A class token reaches the predictions through the blocks, and is dropped."""
    decoder = toy_decoder(depth=1, num_extra_tokens=1)
    token_mask = random_mask(1, 9, 3)
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


def test_published_names_and_a_fixed_position_embedding():
    """Keys are those of the published decoders, and positions are not trained."""
    decoder = toy_decoder(depth=1)
    assert set(decoder.state_dict()) == {
        'decoder_embed.weight',
        'decoder_embed.bias',
        'mask_token',
        'decoder_pos_embed',
        'decoder_norm.weight',
        'decoder_norm.bias',
        'decoder_pred.weight',
        'decoder_pred.bias',
        *(
            f'decoder_blocks.0.{name}.{kind}'
            for name in (
                'norm1',
                'attn.qkv',
                'attn.proj',
                'norm2',
                'mlp.fc1',
                'mlp.fc2',
            )
            for kind in ('weight', 'bias')
        ),
    }
    assert not decoder.decoder_pos_embed.requires_grad
    assert decoder.mask_token.requires_grad


def test_position_embedding_of_another_size_is_resized_on_load():
    """A state dict made for another ``img_size`` loads, its positions interpolated."""
    small, large = toy_decoder(img_size=48), toy_decoder(img_size=80)
    large.load_state_dict(small.state_dict())
    maps = small.decoder_pos_embed.reshape(1, 3, 3, 12).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, (5, 5), mode='bicubic', align_corners=False)
    want = maps.permute(0, 2, 3, 1).reshape(1, 25, 12)
    torch.testing.assert_close(large.decoder_pos_embed.data, want.detach())
