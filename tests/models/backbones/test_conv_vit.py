"""The dense encoder: maps, options, parameters."""

from __future__ import annotations

import math

import pytest
import torch
import toys
from torch import nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT, MaskedConvViT
from dugi_mae.models.backbones import resolve_arch


def flat(maps) -> torch.Tensor:
    """All maps in one row."""
    return torch.cat([x.flatten() for x in maps])


@pytest.mark.parametrize('f4', ['pool', 'conv'])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('height', 'width'), [(16, 16), (17, 33), (100, 36)])
def test_output_shapes_at_any_size(height, width, channels, f4):
    """Maps have ``ceil(size / stride)`` cells, and RoIAlign can read their memory."""
    model = toys.conv_vit(in_channels=channels, f4_downsample=f4)
    assert (model.out_channels, model.strides) == (toys.WIDTHS, (4, 8, 16, 32))
    outs = model(torch.randn(2, channels, height, width))
    assert isinstance(outs, tuple)
    for out, *size in zip(outs, model.out_channels, model.strides, strict=True):
        rows, cols = math.ceil(height / size[1]), math.ceil(width / size[1])
        assert out.shape == (2, size[0], rows, cols)
        # mmcv's RoIAlign misreads any other order in memory (open-mmlab/mmcv#2203).
        assert out.is_contiguous()


@pytest.mark.parametrize('out_indices', [(0,), (3,), (2, 0), (1, 2, 3), [0, 1, 2, 3]])
def test_out_indices_pick_maps(out_indices):
    """Only the maps asked for come back, in that order, and widths say so."""
    everything = toys.conv_vit().eval()
    some = toys.conv_vit(out_indices=out_indices).eval()
    some.load_state_dict(everything.state_dict())
    images = torch.randn(1, 3, 48, 64)
    all_outs = everything(images)
    assert some.out_channels == tuple(toys.WIDTHS[i] for i in out_indices)
    assert some.strides == tuple(4 * 2**i for i in out_indices)
    for out, i in zip(some(images), out_indices, strict=True):
        assert torch.equal(out, all_outs[i])


FROZEN = {
    -1: (),
    0: ('patch_embed1.',),
    1: ('patch_embed1.', 'blocks1.'),
    2: ('patch_embed1.', 'blocks1.', 'patch_embed2.', 'blocks2.'),
    3: ('patch_embed', 'blocks'),
}


@pytest.mark.parametrize('stages', sorted(FROZEN))
def test_frozen_stages(stages):
    """Frozen parameters get no gradient and stay in eval mode after ``train()``."""
    model = toys.conv_vit(frozen_stages=stages, drop_path_rate=0.5)
    model.train()
    if stages < 3:
        flat(model(torch.randn(1, 3, 64, 64))).sum().backward()
    for name, p in model.named_parameters():
        frozen = name == 'pos_embed' or name.startswith(FROZEN[stages])
        assert p.requires_grad != frozen, name
        assert (p.grad is None) == (frozen or stages == 3), name
    for name, module in model.named_modules():
        if name:
            frozen = f'{name}.'.startswith(FROZEN[stages])
            assert module.training != frozen, name
    model.eval().train()
    assert model.training
    assert model.patch_embed1.training == (stages < 0)


STAGE_3 = ('patch_embed3.', 'patch_embed4.', 'blocks3.')
#: By the last map that is asked for.
IDLE = (('patch_embed2.', 'blocks2.', *STAGE_3), STAGE_3, ())


@pytest.mark.parametrize('stages', [-1, 1])
@pytest.mark.parametrize('out_indices', [(0,), (1, 0), (2,), (1, 3)])
def test_stages_behind_the_last_map_are_idle(out_indices, stages):
    """They are not run, and every parameter to train gets a gradient."""
    model = toys.conv_vit(
        out_indices=out_indices, frozen_stages=stages, drop_path_rate=0.5
    )
    for block in model.blocks3 if max(out_indices) < 2 else ():
        block.forward = None
    model.train()
    outs = model(torch.randn(1, 3, 64, 64))
    fixed = (*FROZEN[stages], *IDLE[min(max(out_indices), 2)], 'pos_embed')
    for name, p in model.named_parameters():
        assert p.requires_grad != name.startswith(fixed), name
    if any(out.requires_grad for out in outs):
        flat(outs).sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize('window_size', [None, 3])
def test_checkpointing_changes_nothing(window_size):
    """``with_cp`` gives the same maps and gradients."""
    images = torch.randn(1, 3, 64, 96)
    bias = window_size is not None
    toys.assert_same_training(
        *(
            toys.conv_vit(window_size=window_size, rel_pos_bias=bias, with_cp=cp)
            for cp in (False, True)
        ),
        lambda model: flat(model(images)),
    )


def test_checkpointing_recomputes(monkeypatch):
    """``with_cp`` really runs each block again in the backward pass."""
    model, calls = toys.conv_vit(with_cp=True), []
    block = model.blocks3[0]
    forward = block.forward
    monkeypatch.setattr(block, 'forward', lambda *x: calls.append(1) or forward(*x))
    out = model(torch.randn(1, 3, 32, 32))[2]
    assert len(calls) == 1
    out.sum().backward()
    assert len(calls) == 2


def test_drop_path_grows_linearly():
    """Stochastic depth goes from 0 to the given rate over all blocks of all stages."""
    arch = dict(toys.ARCH, depths=(2, 2, 3))
    model = toys.conv_vit(arch=arch, drop_path_rate=0.3)
    rates = [
        getattr(block.drop_path, 'drop_prob', 0.0)
        for blocks in (model.blocks1, model.blocks2, model.blocks3)
        for block in blocks
    ]
    assert rates == pytest.approx([0.3 * i / 6 for i in range(7)])
    images = torch.randn(1, 3, 32, 32)
    model.train()
    draws = [model(images)[2] for _ in range(8)]
    assert any(not torch.equal(draws[0], x) for x in draws[1:])
    model.eval()
    assert torch.equal(model(images)[2], model(images)[2])


@pytest.mark.parametrize(
    ('arch', 'match'),
    [
        ('bas', "arch='bas' is unknown: did you mean 'base'"),
        (dict(embed_dims=(8, 8, 8), depths=(1, 1, 1)), 'lacks num_heads'),
        (dict(toys.ARCH, depth=2), "'depth' is unknown: did you mean 'depths'"),
        (dict(toys.ARCH, depths=(1, 0, 1)), r'depths=\(1, 0, 1\).*at least 1'),
        (dict(toys.ARCH, num_heads=0), 'num_heads=0.*nearest is 1'),
        (dict(toys.ARCH, embed_dims=(8, 8, 10)), 'divide by 4.*nearest is 8'),
    ],
)
def test_bad_archs_are_explained(arch, match):
    """A wrong name or dict is named, with the nearest or missing key."""
    with pytest.raises(DuGIError, match=match):
        ConvViT(arch)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(out_indices=(0, 4)), r'out_indices=\(0, 4\): choose from 0, 1, 2, 3'),
        (dict(img_size=8), 'img_size=8 .*16-pixel'),
        (dict(frozen_stages=4), 'frozen_stages=4 .*choose'),
        (dict(drop_path_rate=1.0), 'drop_path_rate=1.0.*nearest is 0.99'),
        (dict(f4_downsample='cnv'), "f4_downsample='cnv'.*'conv'"),
        (dict(f4_downsample='conv', out_indices=(0, 1, 2)), 'add 3 to out_indices'),
        (dict(window_size=0), 'window_size=0: .*16'),
        (dict(rel_pos_bias=True), 'rel_pos_bias .* window_size'),
        (dict(window_size=2, global_blocks=(4,)), r'global_blocks=\(4,\).* 0 to 1'),
    ],
)
def test_bad_options_are_named(kwargs, match):
    """Options out of range fail at build time."""
    with pytest.raises(DuGIError, match=match):
        toys.conv_vit(**kwargs)


def test_images_smaller_than_a_token_are_refused():
    """The message names the size and the remedy."""
    with pytest.raises(DuGIError, match='15x64 .*resize or pad'):
        toys.conv_vit()(torch.zeros(1, 3, 15, 64))


@pytest.mark.parametrize(
    ('arch', 'sizes', 'dense', 'masked'),
    [
        ('tiny', ((64, 128, 192), (2, 2, 11), 3, 4.0), 5.5, None),
        ('small', ((128, 256, 384), (2, 2, 11), 6, 4.0), 21.9, None),
        ('base', ((256, 384, 768), (2, 2, 11), 12, 4.0), 84.5, 88.8),
        ('large', ((384, 768, 1024), (2, 2, 23), 16, 4.0), 310, None),
    ],
)
def test_named_archs(arch, sizes, dense, masked):
    """Sizes and trained parameters are those of the published table."""
    assert resolve_arch(arch) == sizes
    with torch.device('meta'):
        models = {ConvViT(arch): dense}
        if masked:
            models[MaskedConvViT(arch)] = masked
    for model, want in models.items():
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert count / 1e6 == pytest.approx(want, abs=0.5 if want == 310 else 0.05)


def test_norm_eps():
    """1e-5 in patch embeddings and conv blocks, 1e-6 in attention and final norm."""
    for name, module in toys.masked_conv_vit().named_modules():
        if isinstance(module, nn.LayerNorm):
            late = name.startswith('blocks3.') or name == 'norm'
            assert module.eps == (1e-6 if late else 1e-5), name


SCALES = {f'blocks3.{i}.gamma_{k}' for i in (0, 1) for k in (1, 2)}
FINE_TUNING = dict(f4_downsample='conv', layer_scale=True)


@pytest.mark.parametrize(
    'kwargs', [{}, FINE_TUNING, dict(FINE_TUNING, window_size=2, rel_pos_bias=True)]
)
def test_every_trainable_parameter_learns(kwargs):
    """No parameter is dead: each gets a gradient that is not zero."""
    model = toys.conv_vit(**kwargs)
    flat(model(torch.randn(2, 3, 64, 96))).square().sum().backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().max() > 0, name
    assert not model.pos_embed.requires_grad


def test_f4_is_f3_convolved_or_pooled():
    """3x3 convolution of stride 2, BN and GELU; by default 2x2 max pooling."""
    model = toys.conv_vit(f4_downsample='conv').eval()
    images = torch.randn(2, 3, 64, 96)
    conv, norm, _ = model.down4
    norm.running_mean.normal_()
    outs = model(images)
    maps = F.conv2d(outs[2], conv.weight, stride=2, padding=1)
    maps = maps - norm.running_mean.view(1, -1, 1, 1)
    maps = maps / (norm.running_var.view(1, -1, 1, 1) + norm.eps).sqrt()
    torch.testing.assert_close(outs[3], F.gelu(maps))
    outs = toys.conv_vit().eval()(images)
    assert torch.equal(outs[3], F.max_pool2d(outs[2], 2))


def test_layer_scale_multiplies_both_branches():
    """It starts at 1, which changes nothing; at 0 a block lets its input through."""
    plain, scaled = toys.conv_vit().eval(), toys.conv_vit(layer_scale=True).eval()
    assert set(scaled.state_dict()) - set(plain.state_dict()) == SCALES
    scaled.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(1, 3, 48, 64)
    assert torch.equal(flat(plain(images)), flat(scaled(images)))
    block, tokens = scaled.blocks3[0], torch.randn(1, 6, 16)
    block.gamma_1.data.fill_(0.5)
    block.gamma_2.data.fill_(0.0)
    half = tokens + 0.5 * block.attn(block.norm1(tokens))
    torch.testing.assert_close(block(tokens), half)


def test_fine_tuning_parts_are_frozen_and_decayed_by_level():
    """LayerScale belongs to its block of stage 3; F4's convolution always learns."""
    model = toys.conv_vit(frozen_stages=3, **FINE_TUNING).train()
    for name, p in model.named_parameters():
        assert p.requires_grad == name.startswith('down4.'), name
    assert model.down4[1].training
    assert model.get_layer_depth('backbone.blocks3.0.gamma_1') == (1, 4)
    assert model.get_layer_depth('backbone.down4.0.weight') == (3, 4)
