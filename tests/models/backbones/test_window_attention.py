"""Windowed attention in the dense encoder."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.models import ConvViT
from dugi_mae.models.backbones.conv_vit import spread_blocks
from dugi_mae.models.layers import SelfAttention, WindowAttention


def encoder(depth: int = 4, **kwargs) -> ConvViT:
    """A toy encoder with some attention blocks."""
    return toys.conv_vit(arch=dict(toys.ARCH, depths=(1, 1, depth)), **kwargs)


def attend_slowly(layer: WindowAttention, x, grid):
    """Attention window by window, over real tokens only, head by head."""
    rows, cols = grid
    width, window = x.shape[-1] // layer.num_heads, layer.window_size
    out = torch.empty_like(x)
    for b, image in enumerate(x):
        for top in range(0, rows, window):
            for left in range(0, cols, window):
                places = [
                    (r, c)
                    for r in range(top, min(top + window, rows))
                    for c in range(left, min(left + window, cols))
                ]
                ids = [r * cols + c for r, c in places]
                q, k, v = layer.qkv(image[ids]).chunk(3, dim=-1)
                heads = []
                for h in range(layer.num_heads):
                    part = slice(h * width, (h + 1) * width)
                    logits = q[:, part] @ k[:, part].T / width**0.5
                    if layer.rel_pos_bias is not None:
                        for i, (r1, c1) in enumerate(places):
                            for j, (r2, c2) in enumerate(places):
                                row, col = r1 - r2 + window - 1, c1 - c2 + window - 1
                                logits[i, j] += layer.rel_pos_bias[
                                    row * (2 * window - 1) + col, h
                                ]
                    heads.append(logits.softmax(-1) @ v[:, part])
                out[b, ids] = layer.proj(torch.cat(heads, dim=-1))
    return out


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('grid', [(4, 4), (4, 6), (3, 5), (1, 2), (7, 4)])
@torch.no_grad()
def test_equals_a_loop_over_windows(grid, bias):
    """Values are those of a loop over windows and their real tokens."""
    layer = WindowAttention(8, 2, 2, rel_pos_bias=bias).double()
    if bias:
        layer.rel_pos_bias.normal_()
    x = torch.randn(2, grid[0] * grid[1], 8, dtype=torch.float64)
    torch.testing.assert_close(layer(x, grid), attend_slowly(layer, x, grid))


def test_gradients_reach_every_parameter():
    """Edge windows give finite gradients, and the bias learns from its zero start."""
    layer = WindowAttention(8, 2, 3, rel_pos_bias=True)
    x = torch.randn(1, 35, 8, requires_grad=True)
    (layer(x, (5, 7)) ** 2).sum().backward()
    for name, p in [*layer.named_parameters(), ('x', x)]:
        assert p.grad.isfinite().all(), name
        assert p.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ('depth', 'spread', 'used'),
    [
        (1, (0,), ()),
        (2, (0, 1), (0,)),
        (4, (0, 1, 2, 3), (0, 3)),
        (11, (0, 3, 6, 10), (0, 3, 6, 10)),
        (23, (0, 7, 14, 22), (0, 7, 14, 22)),
    ],
)
def test_global_blocks_are_spread(depth, spread, used):
    """Four from the first to the last, 0, 3, 6, 10 of 11 as MCMAE, at most half."""
    assert spread_blocks(depth) == spread
    blocks = encoder(depth, window_size=2).blocks3
    plain = [i for i, block in enumerate(blocks) if type(block.attn) is SelfAttention]
    assert plain == list(used)


def test_only_the_named_blocks_are_global():
    """``global_blocks`` keep plain attention, the others get windows."""
    model = encoder(window_size=2, global_blocks=(1, 3), rel_pos_bias=True)
    kinds = [type(block.attn) for block in model.blocks3]
    assert kinds == [WindowAttention, SelfAttention] * 2
    assert {k for k in model.state_dict() if 'rel_pos' in k} == {
        'blocks3.0.attn.rel_pos_bias',
        'blocks3.2.attn.rel_pos_bias',
    }


@pytest.mark.parametrize('size', [(64, 64), (80, 112)])
def test_windows_change_no_tensor(size):
    """Windows take a plain encoder's weights, and large ones give its maps."""
    plain = encoder().eval()
    images = torch.randn(1, 3, *size)
    large, small = (encoder(window_size=n, global_blocks=()).eval() for n in (8, 2))
    for model in (large, small):
        model.load_state_dict(plain.state_dict())
    for a, b in zip(plain(images), large(images), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    assert not torch.allclose(plain(images)[2], small(images)[2], atol=1e-4)


def test_windows_do_not_see_each_other():
    """Without global blocks a pixel moves the tokens of its own window alone."""
    model = encoder(window_size=4, global_blocks=()).eval()
    image = torch.randn(1, 3, 128, 128)
    changed = image.clone()
    # In the middle of the last of four windows: the convolutions before see 24 pixels
    # around, no token of another window.
    changed[..., 96, 96] += 5
    moved = (model(image)[2] - model(changed)[2]).abs().sum(1)[0] > 0
    assert moved[4:, 4:].all()
    assert moved.sum() == 16
