"""Layer-wise learning-rate decay on real hosts' models."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

import dugi_mae.mmpretrain  # noqa: F401  registers the encoder
from dugi_mae.errors import DuGIError
from dugi_mae.mm.layer_decay import LayerDecayOptimWrapperConstructor
from dugi_mae.models import ConvViT

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 2, 3), num_heads=2)
LR, DECAY = 1e-2, 0.05


@pytest.fixture(scope='module')
def segmentor():
    """An mmseg EncoderDecoder with our toy encoder."""
    registry = pytest.importorskip('mmseg.registry').MODELS
    config = dict(
        type='EncoderDecoder',
        backbone=dict(type='mmpretrain.ConvViT', arch=ARCH, img_size=64),
        decode_head=dict(
            type='FCNHead',
            in_channels=16,
            in_index=2,
            channels=8,
            num_convs=1,
            num_classes=2,
            norm_cfg=dict(type='BN'),
            align_corners=False,
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        return registry.build(ConfigDict(config))


def groups(model: nn.Module, scope: str = 'mmseg', **paramwise) -> dict:
    """Build the way a runner does; parameter name -> its settings."""
    config = ConfigDict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=LR, weight_decay=DECAY),
        constructor='LayerDecayOptimWrapperConstructor',
        paramwise_cfg=paramwise,
    )
    with DefaultScope.overwrite_default_scope(scope):
        wrapper = build_optim_wrapper(model, config)
    names = {id(p): name for name, p in model.named_parameters()}
    result = {}
    for group in wrapper.optimizer.param_groups:
        for p in group['params']:
            assert names[id(p)] not in result
            result[names[id(p)]] = group
    return result


def level_of(name: str) -> int:
    """MCMAE's levels: stem and conv stages 0, ``blocks3.i`` i + 1, the rest last."""
    name = name.removeprefix('module.')
    if name.startswith('backbone.blocks3.'):
        return int(name.split('.')[2]) + 1
    return 0 if name.startswith('backbone.') else 4


@pytest.mark.parametrize('rate', [0.75, 0.5, 1.0])
def test_learning_rates_by_level(segmentor, rate):
    """Each parameter's rate is ``lr * rate ** (last - level)``; heads keep it all."""
    found = groups(segmentor, layer_decay_rate=rate)
    trained = {n for n, p in segmentor.named_parameters() if p.requires_grad}
    assert trained <= set(found)
    for name in trained:
        want = LR * rate ** (4 - level_of(name))
        assert found[name]['lr'] == pytest.approx(want), name
        assert found[name]['lr_scale'] == pytest.approx(want / LR)
    head = [n for n in trained if n.startswith('decode_head.')]
    assert head
    assert all(found[n]['lr'] == LR for n in head)


def test_a_trained_position_embedding_is_not_decayed():
    """Even when positions are trained they are not pulled to zero."""
    model = nn.Module()
    model.backbone = ConvViT(ARCH, img_size=64)
    model.backbone.pos_embed.requires_grad_()
    group = groups(model, 'mmpretrain', layer_decay_rate=0.5)['backbone.pos_embed']
    assert group['weight_decay'] == 0
    assert group['lr'] == pytest.approx(LR * 0.5**4)


@pytest.mark.parametrize(
    ('settings', 'decay'), [(dict(lr_mult=0.1), 0), (dict(decay_mult=2.0), 2 * DECAY)]
)
def test_a_short_key_reaches_positions(segmentor, settings, decay):
    """One shorter than ``pos_embed``: they follow it, undecayed unless it says so."""
    segmentor.backbone.pos_embed.requires_grad_()
    plain = groups(segmentor, layer_decay_rate=0.5)['backbone.pos_embed']
    keyed = groups(segmentor, layer_decay_rate=0.5, custom_keys=dict(backbone=settings))
    group = keyed['backbone.pos_embed']
    assert group['lr'] == pytest.approx(settings.get('lr_mult', 1) * plain['lr'])
    assert group['weight_decay'] == decay


def test_settings_of_the_config_win(segmentor):
    """Decay of norms can be switched back on."""
    found = groups(segmentor, layer_decay_rate=0.5, norm_decay_mult=1.0)
    assert found['backbone.blocks3.0.norm1.weight']['weight_decay'] == DECAY
    assert found['backbone.blocks3.0.attn.qkv.bias']['weight_decay'] == 0


def test_the_config_is_not_changed(segmentor):
    """Building twice from one config gives the same groups."""
    paramwise = dict(layer_decay_rate=0.5, custom_keys={'decode_head': dict(lr_mult=3)})
    config = dict(optimizer=dict(type='AdamW', lr=LR, weight_decay=DECAY))
    rates = []
    for _ in range(2):
        wrapper = LayerDecayOptimWrapperConstructor(config, paramwise)(segmentor)
        rates.append([g['lr'] for g in wrapper.optimizer.param_groups])
    assert rates[0] == rates[1]
    assert set(paramwise['custom_keys']) == {'decode_head'}


def test_a_wrapped_model_has_the_same_scales(segmentor):
    """Names behind a data-parallel wrapper's ``module.`` count alike."""

    class Wrapped(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    plain = groups(segmentor, layer_decay_rate=0.5)
    wrapped = groups(Wrapped(segmentor), layer_decay_rate=0.5)
    assert {n.removeprefix('module.'): g['lr'] for n, g in wrapped.items()} == {
        n: g['lr'] for n, g in plain.items()
    }


def test_a_step_moves_late_layers_more(segmentor):
    """The rates reach the optimizer: equal gradients move level 0 the least."""
    config = dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=0.0))
    wrapper = LayerDecayOptimWrapperConstructor(config, dict(layer_decay_rate=0.5))(
        segmentor
    )
    names = {
        'backbone.patch_embed1.proj.weight': 0.5**4,
        'backbone.blocks3.2.mlp.fc1.weight': 0.5,
        'decode_head.conv_seg.weight': 1.0,
    }
    params = dict(segmentor.named_parameters())
    before = {n: params[n].detach().clone() for n in names}
    for p in segmentor.parameters():
        p.grad = torch.ones_like(p)
    wrapper.step()
    for name, scale in names.items():
        moved = before[name] - params[name].detach()
        torch.testing.assert_close(moved, torch.full_like(moved, scale))


@pytest.mark.parametrize('with_backbone', [True, False])
def test_a_backbone_without_levels_is_refused(with_backbone):
    """A backbone that cannot tell its levels is named."""
    model = nn.Module()
    if with_backbone:
        model.backbone = nn.Conv2d(1, 1, 1)
    with pytest.raises(DuGIError, match='has no get_layer_depth'):
        groups(model, 'mmengine', layer_decay_rate=0.5)


def test_levels_of_the_base_encoder():
    """``get_layer_depth`` tells 13 levels for 11 attention blocks."""
    backbone = ConvViT(dict(ARCH, depths=(1, 1, 11)), img_size=64)
    for name, level in {
        'backbone.pos_embed': 0,
        'backbone.patch_embed4.weight': 0,
        'backbone.blocks1.0.conv1.weight': 0,
        'backbone.blocks2.0.attn.bias': 0,
        'backbone.blocks3.0.attn.qkv.weight': 1,
        'backbone.blocks3.10.mlp.fc2.bias': 11,
        'backbone.norm.weight': 12,
        'neck.conv.weight': 12,
        'decode_head.blocks1.weight': 12,
    }.items():
        assert backbone.get_layer_depth(name, 'backbone.') == (level, 13), name
    assert backbone.get_layer_depth('blocks3.4.norm1.bias', '') == (5, 13)


@pytest.mark.parametrize('rate', [None, 0, 1.5, -0.5, float('nan')])
def test_a_missing_or_wrong_rate_is_refused(rate):
    """No silent default: the rate must be named and lie in (0, 1]."""
    paramwise = {} if rate is None else dict(layer_decay_rate=rate)
    optimizer = dict(type='AdamW', lr=LR, weight_decay=DECAY)
    with pytest.raises(DuGIError, match=f'layer_decay_rate={rate!r}: give a number'):
        LayerDecayOptimWrapperConstructor(dict(optimizer=optimizer), paramwise)


def test_a_missing_learning_rate_is_named():
    """What is scaled cannot be told without it."""
    config = dict(optimizer=dict(type='AdamW', weight_decay=DECAY))
    with pytest.raises(DuGIError, match=r'optimizer\.lr is missing'):
        LayerDecayOptimWrapperConstructor(config, dict(layer_decay_rate=0.5))
