"""The dense encoder as a citizen of mmdet and mmseg."""

from __future__ import annotations

import math

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT, MaskedConvViT
from dugi_mae.models.backbones import resolve_arch

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)


def toy(**kwargs) -> ConvViT:
    """A toy encoder with a 4x4 position embedding."""
    return ConvViT(**{'arch': ARCH, 'img_size': 64, **kwargs})


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(
    ('height', 'width'), [(64, 64), (16, 16), (17, 33), (100, 36), (31, 95)]
)
def test_output_shapes_at_any_size(height, width, channels):
    """Maps have ``ceil(size / stride)`` cells at strides 4, 8, 16 and 32."""
    outs = toy(in_channels=channels)(torch.randn(2, channels, height, width))
    for out, width_i, stride in zip(outs, (8, 12, 16, 16), (4, 8, 16, 32), strict=True):
        rows, cols = math.ceil(height / stride), math.ceil(width / stride)
        assert out.shape == (2, width_i, rows, cols)


@pytest.mark.parametrize('out_indices', [(0,), (3,), (2, 0), (1, 2, 3), [0, 1, 2, 3]])
def test_out_indices_pick_maps(out_indices):
    """Only the maps asked for come back, in the order asked, and widths say so."""
    everything, some = toy().eval(), toy(out_indices=out_indices).eval()
    some.load_state_dict(everything.state_dict())
    images = torch.randn(1, 3, 48, 64)
    outs, all_outs = some(images), everything(images)
    assert isinstance(outs, tuple)
    assert some.out_channels == tuple((8, 12, 16, 16)[i] for i in out_indices)
    for out, i in zip(outs, out_indices, strict=True):
        assert torch.equal(out, all_outs[i])


def test_padding_is_zero_and_cropped():
    """An image is as good as its copy padded with zeros to a multiple of 32."""
    model = toy().eval()
    image = torch.randn(1, 3, 40, 50)
    padded = F.pad(image, (0, 14, 0, 24))
    for a, b in zip(model(image), model(padded), strict=True):
        assert torch.equal(a, b[..., : a.shape[-2], : a.shape[-1]])


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
    model = toy(frozen_stages=stages, drop_path_rate=0.5)
    model.train()
    if stages < 3:
        sum(x.sum() for x in model(torch.randn(1, 3, 64, 64))).backward()
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
    model = toy(out_indices=out_indices, frozen_stages=stages, drop_path_rate=0.5)
    for block in model.blocks3 if max(out_indices) < 2 else ():
        block.forward = None
    model.train()
    outs = model(torch.randn(1, 3, 64, 64))
    idle = IDLE[min(max(out_indices), 2)]
    for name, p in model.named_parameters():
        fixed = (*FROZEN[stages], *idle, 'pos_embed')
        assert p.requires_grad != name.startswith(fixed), name
    if any(out.requires_grad for out in outs):
        sum(out.sum() for out in outs).backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)


@pytest.mark.parametrize('stages', [4, -2])
def test_frozen_stages_out_of_range(stages):
    """A stage that does not exist is named."""
    with pytest.raises(DuGIError, match=f'frozen_stages={stages}'):
        toy(frozen_stages=stages)


def test_checkpointing_changes_nothing():
    """``with_cp`` gives the same maps and the same gradients."""
    plain, cheap = toy(), toy(with_cp=True)
    cheap.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 48, 64)
    for model in (plain, cheap):
        model.outs = model(images)
        sum((x**2).sum() for x in model.outs).backward()
    for a, b in zip(plain.outs, cheap.outs, strict=True):
        torch.testing.assert_close(a, b)
    gradients = dict(cheap.named_parameters())
    for name, p in plain.named_parameters():
        if p.requires_grad:
            torch.testing.assert_close(p.grad, gradients[name].grad, msg=name)


def test_checkpointing_recomputes(monkeypatch):
    """``with_cp`` really runs each block again in the backward pass."""
    model, calls = toy(with_cp=True), []
    block = model.blocks3[0]
    forward = block.forward
    monkeypatch.setattr(block, 'forward', lambda *x: calls.append(1) or forward(*x))
    out = model(torch.randn(1, 3, 32, 32))[2]
    assert len(calls) == 1
    out.sum().backward()
    assert len(calls) == 2


def test_drop_path_grows_linearly():
    """Stochastic depth goes from 0 to the given rate over all blocks of all stages."""
    model = ConvViT(dict(ARCH, depths=(2, 2, 3)), img_size=64, drop_path_rate=0.3)
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
        ('huge', "'tiny', 'small', 'base', 'large'"),
        (dict(embed_dims=(8, 8, 8), depths=(1, 1, 1)), 'lacks num_heads'),
        (dict(ARCH, depth=2), "arch key='depth' is unknown: did you mean 'depths'"),
        (dict(ARCH, depths=(1, 1)), r'depths=\(1, 1\): ConvViT has three stages'),
        (dict(ARCH, embed_dims=(8, 8, 8, 8)), 'three stages, give 3 numbers'),
        (dict(ARCH, num_heads=3), r'num_heads=3'),
        (dict(ARCH, embed_dims=(8, 8, 10)), 'must divide by 4.*the nearest is 8'),
        (dict(ARCH, embed_dims=(8, 8, 20), num_heads=3), 'nearest is 24'),
        (dict(ARCH, embed_dims=8), 'arch embed_dims=8: .*give 3 numbers'),
        (dict(ARCH, embed_dims=(8, 8.6, 16)), r'whole numbers .* \(8, 9, 16\)'),
        (dict(ARCH, depths=(1, 0, 'x')), r'arch depths=.* such as \(1, 1, 1\)'),
        (dict(ARCH, depths=(1, 10**9, 1)), r'from 1 to 1000, such as \(1, 1000, 1\)'),
        (dict(ARCH, num_heads=True), 'arch num_heads=True: give a whole number'),
        (dict(ARCH, mlp_ratio='4'), "arch mlp_ratio='4': give a number, such as 4"),
        (dict(ARCH, mlp_ratio=1e9), 'arch mlp_ratio=.* is out of range'),
        (dict(ARCH, num_heads=0), 'num_heads=0: give a whole number'),
        (dict(ARCH, mlp_ratio=-1.0), 'mlp_ratio=-1.0'),
        (['base'], r"arch=\['base'\] is unknown: did you mean 'base'"),
    ],
)
@pytest.mark.parametrize('cls', [ConvViT, MaskedConvViT])
def test_bad_archs_are_explained(cls, arch, match):
    """A wrong name or dict is named, with the nearest or missing key."""
    with pytest.raises(DuGIError, match=match):
        cls(arch)


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(out_indices=()), r'out_indices=\(\)'),
        (dict(out_indices=(0, 4)), r'out_indices=\(0, 4\): choose from 0, 1, 2, 3'),
        (dict(img_size=8), 'img_size=8 is smaller than a 16-pixel token'),
    ],
)
def test_bad_options_are_named(kwargs, match):
    """Options out of range fail at build time."""
    with pytest.raises(DuGIError, match=match):
        toy(**kwargs)


@pytest.mark.parametrize('size', [(15, 64), (64, 8)])
def test_images_smaller_than_a_token_are_refused(size):
    """The message names the size and the remedy."""
    with pytest.raises(DuGIError, match=f'{size[0]}x{size[1]} pixels is smaller'):
        toy()(torch.zeros(1, 3, *size))


@pytest.mark.parametrize(
    ('arch', 'dense', 'masked'),
    [
        ('tiny', 5.5, None),
        ('small', 21.9, None),
        ('base', 84.5, 88.8),
        ('large', 310, None),
    ],
)
def test_parameter_counts(arch, dense, masked):
    """Trained parameters are those of the published table; none is allocated."""
    with torch.device('meta'):
        models = {ConvViT(arch): dense}
        if masked:
            models[MaskedConvViT(arch)] = masked
    for model, want in models.items():
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert count / 1e6 == pytest.approx(want, abs=0.5 if want == 310 else 0.05)


@pytest.mark.parametrize(
    ('arch', 'widths', 'depths', 'heads'),
    [
        ('tiny', (64, 128, 192), (2, 2, 11), 3),
        ('small', (128, 256, 384), (2, 2, 11), 6),
        ('base', (256, 384, 768), (2, 2, 11), 12),
        ('large', (384, 768, 1024), (2, 2, 23), 16),
    ],
)
def test_named_archs(arch, widths, depths, heads):
    """The four names stand for the published widths, depths and heads."""
    assert resolve_arch(arch) == (widths, depths, heads, 4.0)


def published_names(depths, masked):
    """Every tensor of an encoder under its published name."""
    both = ('weight', 'bias')
    modules = [f'patch_embed{i}.{m}' for i in (1, 2, 3) for m in ('proj', 'norm')]
    modules.append('patch_embed4')
    conv = ('norm1', 'conv1', 'conv2', 'attn', 'norm2', 'mlp.fc1', 'mlp.fc2')
    attention = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
    for stage, parts in ((1, conv), (2, conv), (3, attention)):
        for i in range(depths[stage - 1]):
            modules += [f'blocks{stage}.{i}.{part}' for part in parts]
    if masked:
        modules += ['norm', 'stage1_output_decode', 'stage2_output_decode']
    return {'pos_embed', *(f'{m}.{k}' for m in modules for k in both)}


def test_state_dict_has_the_published_names_and_shapes():
    """Published encoder checkpoints fit tensor by tensor, nothing is added."""
    depths = (1, 1, 2)
    assert set(toy().state_dict()) == published_names(depths, masked=False)
    state = MaskedConvViT(ARCH).state_dict()
    assert set(state) == published_names(depths, masked=True)
    shapes = {k: tuple(v.shape) for k, v in state.items()}
    assert shapes['patch_embed1.proj.weight'] == (8, 3, 4, 4)
    assert shapes['patch_embed2.proj.weight'] == (12, 8, 2, 2)
    assert shapes['patch_embed3.proj.weight'] == (16, 12, 2, 2)
    assert shapes['patch_embed4.weight'] == (16, 16)
    assert shapes['pos_embed'] == (1, 196, 16)
    assert shapes['blocks1.0.conv1.weight'] == (8, 8, 1, 1)
    assert shapes['blocks1.0.attn.weight'] == (8, 1, 5, 5)
    assert shapes['blocks2.0.mlp.fc1.weight'] == (48, 12, 1, 1)
    assert shapes['blocks3.0.attn.qkv.weight'] == (48, 16)
    assert shapes['stage1_output_decode.weight'] == (16, 8, 4, 4)
    assert shapes['stage2_output_decode.weight'] == (16, 12, 2, 2)


def test_norm_eps():
    """1e-5 in patch embeddings and conv blocks, 1e-6 in attention and final norm."""
    for name, module in MaskedConvViT(ARCH).named_modules():
        if isinstance(module, nn.LayerNorm):
            late = name.startswith('blocks3.') or name == 'norm'
            assert module.eps == (1e-6 if late else 1e-5), name


def test_state_dict_round_trip():
    """Saving and loading gives the same function."""
    one, two = toy(drop_path_rate=0.1).eval(), toy().eval()
    two.load_state_dict(one.state_dict())
    images = torch.randn(1, 3, 64, 32)
    for a, b in zip(one(images), two(images), strict=True):
        assert torch.equal(a, b)


def test_three_channel_weights_in_a_one_channel_model():
    """On a grey image the folded model does what the original does on three copies."""
    rgb, grey = toy().eval(), toy(in_channels=1).eval()
    state = rgb.state_dict()
    kept = {k: v.clone() for k, v in state.items()}
    grey.load_state_dict(state)
    image = torch.randn(2, 1, 48, 64)
    for a, b in zip(grey(image), rgb(image.expand(-1, 3, -1, -1)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    for name, value in rgb.state_dict().items():
        assert torch.equal(value, kept[name])


def test_one_channel_weights_in_a_three_channel_model():
    """The other way round, for replicated grey input."""
    grey, rgb = toy(in_channels=1).eval(), toy().eval()
    rgb.load_state_dict(grey.state_dict())
    image = torch.randn(1, 1, 32, 32)
    for a, b in zip(rgb(image.expand(-1, 3, -1, -1)), grey(image), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_a_caller_keeps_its_state_dict():
    """Folding and resizing while loading leaves the caller's dict as it was."""
    state = toy().state_dict()
    shapes = {k: v.shape for k, v in state.items()}
    toy(in_channels=1, img_size=96).load_state_dict(state)
    assert {k: v.shape for k, v in state.items()} == shapes


@pytest.mark.parametrize('img_size', [32, 96, 224])
def test_position_embedding_is_resized_on_load(img_size):
    """A checkpoint made at another size loads, its positions bicubic."""
    source, target = toy(img_size=64), toy(img_size=img_size)
    source.pos_embed.data.normal_()
    target.load_state_dict(source.state_dict())
    side = img_size // 16
    maps = source.pos_embed.reshape(1, 4, 4, 16).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, (side, side), mode='bicubic', align_corners=False)
    want = maps.permute(0, 2, 3, 1).reshape(1, -1, 16)
    torch.testing.assert_close(target.pos_embed.data, want.detach())


def test_every_trainable_parameter_learns():
    """No parameter is dead: each gets a gradient that is not zero."""
    model = toy()
    sum((x**2).sum() for x in model(torch.randn(2, 3, 64, 64))).backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().max() > 0, name
    assert not model.pos_embed.requires_grad


def test_images_of_a_batch_do_not_mix():
    """The features of an image are those it has alone."""
    model = toy().eval()
    images = torch.randn(3, 3, 48, 48)
    for together, alone in zip(model(images), model(images[:1]), strict=True):
        torch.testing.assert_close(together[:1], alone, rtol=0, atol=1e-5)


def test_registered_in_mmpretrain():
    """``type='mmpretrain.ConvViT'`` builds through mmpretrain's registry."""
    model = MODELS.build(dict(type='mmpretrain.ConvViT', arch=ARCH, out_indices=(2,)))
    assert isinstance(model, ConvViT)
