"""What fine-tuning may add to the encoder: a convolved F4 and LayerScale."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT, MaskedConvViT

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
OPTIONS = dict(f4='conv', layer_scale=True)
SCALES = {f'blocks3.{i}.gamma_{k}' for i in (0, 1) for k in (1, 2)}


def toy(**kwargs) -> ConvViT:
    """A toy encoder with a 4x4 position embedding."""
    return ConvViT(**{'arch': ARCH, 'img_size': 64, **kwargs})


def new_names(model: ConvViT) -> set[str]:
    """Tensors that the plain encoder does not have."""
    return set(model.state_dict()) - set(toy().state_dict())


@pytest.mark.parametrize(('height', 'width'), [(64, 64), (16, 48), (17, 33), (100, 36)])
def test_f4_is_f3_convolved(height, width):
    """3x3 convolution of stride 2, BN and GELU; maps have the sizes of the pooled."""
    model = toy(f4='conv').eval()
    model.down4[1].running_mean.normal_()
    outs = model(torch.randn(2, 3, height, width))
    for out, width_i, stride in zip(outs, (8, 12, 16, 16), (4, 8, 16, 32), strict=True):
        rows, cols = math.ceil(height / stride), math.ceil(width / stride)
        assert out.shape == (2, width_i, rows, cols)
    if height % 32 == width % 32 == 0:
        conv, norm, _ = model.down4
        maps = F.conv2d(outs[2], conv.weight, stride=2, padding=1)
        maps = maps - norm.running_mean.view(1, -1, 1, 1)
        maps = maps / (norm.running_var.view(1, -1, 1, 1) + norm.eps).sqrt()
        torch.testing.assert_close(outs[3], F.gelu(maps))


def test_f4_is_pooled_unless_asked():
    """The default is F3 after 2x2 max pooling, without a parameter of its own."""
    outs = toy().eval()(torch.randn(1, 3, 64, 96))
    assert torch.equal(outs[3], F.max_pool2d(outs[2], 2))
    assert new_names(toy(f4='pool', layer_scale=False)) == set()


def test_layer_scale_multiplies_both_branches():
    """It starts at 1, which changes nothing; at 0 a block lets its input through."""
    plain, scaled = toy().eval(), toy(layer_scale=True).eval()
    assert new_names(scaled) == SCALES
    scaled.load_state_dict(plain.state_dict(), strict=False)
    images = torch.randn(1, 3, 48, 64)
    for a, b in zip(plain(images), scaled(images), strict=True):
        assert torch.equal(a, b)
    block, tokens = scaled.blocks3[0], torch.randn(1, 6, 16)
    block.gamma_1.data.fill_(0.5)
    block.gamma_2.data.fill_(0.0)
    half = tokens + 0.5 * block.attn(block.norm1(tokens))
    torch.testing.assert_close(block(tokens), half)


@pytest.mark.parametrize('window_size', [None, 2])
def test_everything_learns(window_size):
    """Each new parameter gets a gradient that is not zero."""
    model = toy(window_size=window_size, **OPTIONS)
    sum((x**2).sum() for x in model(torch.randn(2, 3, 64, 96))).backward()
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().max() > 0, name


def test_frozen_stages():
    """LayerScale is part of stage 3; F4's convolution is new and always learns."""
    model = toy(frozen_stages=3, **OPTIONS).train()
    for name, p in model.named_parameters():
        assert p.requires_grad == name.startswith('down4.'), name
    assert model.down4[1].training


def test_levels_of_layer_decay():
    """LayerScale has its block's level, what is new the last one."""
    model = toy(**OPTIONS)
    assert model.get_layer_depth('backbone.blocks3.0.gamma_1') == (1, 4)
    assert model.get_layer_depth('backbone.down4.0.weight') == (3, 4)


@pytest.mark.parametrize('strict', ['exact', 'warn'])
def test_weights_of_pre_training_load(tmp_path, strict):
    """All that the file has is loaded, what is new keeps its start."""
    source = MaskedConvViT(ARCH, img_size=64)
    for p in source.parameters():
        p.data += 0.1 * torch.randn_like(p)
    path = str(tmp_path / 'x.pth')
    torch.save({f'backbone.{k}': v for k, v in source.state_dict().items()}, path)
    init_cfg = dict(type='DuGIPretrained', checkpoint=path, strict=strict)
    model = toy(init_cfg=init_cfg, **OPTIONS)
    start = {k: v.clone() for k, v in model.state_dict().items()}
    model.init_weights()
    expected = start | {k: v for k, v in source.state_dict().items() if k in start}
    assert set(source.state_dict()) & new_names(model) == set()
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_a_file_with_layer_scale_loads_into_it(tmp_path):
    """A fine-tuned encoder's factors are taken where the model has a place for them."""
    source = toy(layer_scale=True)
    for name in SCALES:
        source.get_parameter(name).data.normal_()
    path = str(tmp_path / 'x.pth')
    torch.save(dict(model=source.state_dict()), path)
    init_cfg = dict(type='DuGIPretrained', checkpoint=path)
    model = toy(init_cfg=init_cfg, layer_scale=True)
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[name]), name


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(f4='cnv'), "f4='cnv' is unknown: did you mean 'conv'"),
        (dict(f4='conv', out_indices=(0, 1, 2)), "f4='conv' .* add 3 to out_indices"),
        (dict(layer_scale=1.0), 'layer_scale=1.0: give True or False'),
    ],
)
def test_bad_options_are_named(kwargs, message):
    """A parameter that nothing uses would stop distributed training."""
    with pytest.raises(DuGIError, match=message):
        toy(**kwargs)
    assert isinstance(toy(out_indices=(0, 1, 2)).down4, nn.MaxPool2d)
