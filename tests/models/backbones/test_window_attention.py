"""Windowed attention in the dense encoder."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT
from dugi_mae.models.backbones.conv_vit import spread_blocks
from dugi_mae.models.layers import SelfAttention, WindowAttention

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 4), num_heads=2)


def toy(**kwargs) -> ConvViT:
    """A toy encoder with four attention blocks."""
    return ConvViT(**{'arch': ARCH, 'img_size': 64, **kwargs})


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


def test_a_window_over_everything_is_global():
    """One window as large as the grid, or larger, is plain self-attention."""
    layer, plain = WindowAttention(8, 2, 5), SelfAttention(8, 2)
    layer.load_state_dict(plain.state_dict())
    for grid in ((5, 5), (4, 3)):
        x = torch.randn(2, grid[0] * grid[1], 8)
        torch.testing.assert_close(layer(x, grid), plain(x), rtol=0, atol=1e-6)


def test_gradients_reach_every_parameter():
    """Edge windows give finite gradients, and the bias learns from its zero start."""
    layer = WindowAttention(8, 2, 3, rel_pos_bias=True)
    x = torch.randn(1, 35, 8, requires_grad=True)
    (layer(x, (5, 7)) ** 2).sum().backward()
    for name, p in [*layer.named_parameters(), ('x', x)]:
        assert p.grad.isfinite().all(), name
        assert p.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ('depth', 'want'),
    [
        (11, (0, 3, 6, 10)),
        (23, (0, 7, 14, 22)),
        (4, (0, 1, 2, 3)),
        (2, (0, 1)),
        (1, (0,)),
    ],
)
def test_global_blocks_are_spread(depth, want):
    """Four global blocks from the first to the last; 0, 3, 6, 10 of 11 as MCMAE."""
    assert spread_blocks(depth) == want


def test_only_the_named_blocks_are_global():
    """``global_blocks`` keep plain attention, the others get windows."""
    model = toy(window_size=2, global_blocks=(1, 3), rel_pos_bias=True)
    kinds = [type(block.attn) for block in model.blocks3]
    assert kinds == [WindowAttention, SelfAttention] * 2
    assert {k for k in model.state_dict() if 'rel_pos' in k} == {
        'blocks3.0.attn.rel_pos_bias',
        'blocks3.2.attn.rel_pos_bias',
    }


@pytest.mark.parametrize(
    ('depth', 'want'), [(1, ()), (2, (0,)), (4, (0, 3)), (11, (0, 3, 6, 10))]
)
def test_at_most_half_of_the_blocks_are_global(depth, want):
    """However few blocks there are, ``window_size`` gives windows to some."""
    model = toy(arch=dict(ARCH, depths=(1, 1, depth)), window_size=2)
    plain = [type(block.attn) is SelfAttention for block in model.blocks3]
    assert [i for i, kept in enumerate(plain) if kept] == list(want)


@pytest.mark.parametrize('size', [(64, 64), (80, 112)])
def test_windows_change_no_tensor(size):
    """Windows take a plain encoder's weights, and large ones give its maps."""
    plain = toy().eval()
    images = torch.randn(1, 3, *size)
    large, small = (toy(window_size=n, global_blocks=()).eval() for n in (8, 2))
    for model in (large, small):
        model.load_state_dict(plain.state_dict())
    for a, b in zip(plain(images), large(images), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    assert not torch.allclose(plain(images)[2], small(images)[2], atol=1e-4)


def test_windows_do_not_see_each_other():
    """Without global blocks a pixel moves the tokens of its own window alone."""
    model = toy(window_size=4, global_blocks=()).eval()
    image = torch.randn(1, 3, 128, 128)
    changed = image.clone()
    # In the middle of the last of four windows: the convolutions before see 24 pixels
    # around, no token of another window.
    changed[..., 96, 96] += 5
    moved = (model(image)[2] - model(changed)[2]).abs().sum(1)[0] > 0
    assert moved[4:, 4:].all()
    assert moved.sum() == 16


@pytest.mark.parametrize('size', [(40, 72), (96, 33)])
def test_padding_is_exact_with_windows(size):
    """An image is as good as its copy zero-padded to a multiple of 32."""
    model = toy(window_size=2, rel_pos_bias=True).eval()
    image = torch.randn(1, 3, *size)
    padded = F.pad(image, (0, -size[1] % 32, 0, -size[0] % 32))
    for a, b in zip(model(image), model(padded), strict=True):
        assert torch.equal(a, b[..., : a.shape[-2], : a.shape[-1]])


def test_checkpointing_with_windows():
    """``with_cp`` gives the same gradients when blocks know their grid."""
    plain, cheap = (
        toy(window_size=3, rel_pos_bias=True, with_cp=cp) for cp in (False, True)
    )
    cheap.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 64, 96)
    for model in (plain, cheap):
        model(images)[2].square().sum().backward()
    gradients = dict(cheap.named_parameters())
    for name, p in plain.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, gradients[name].grad, msg=name)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(window_size=0), 'window_size=0 is out of range'),
        (dict(global_blocks=(0,)), 'give window_size too'),
        (dict(rel_pos_bias=True), 'give window_size too'),
        (dict(window_size=0, global_blocks=(0, 1, 2, 3)), 'window_size=0 is out of'),
        (dict(window_size=2, global_blocks=(4,)), r'attention blocks 0 to 3'),
    ],
)
def test_bad_options_are_named(kwargs, match):
    """Options that do not fit fail at build time."""
    with pytest.raises(DuGIError, match=match):
        toy(**kwargs)
