"""Layer-wise learning-rate decay on the hosts' models that our configs describe."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import toys
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.mm.layer_decay import LayerDecayOptimWrapperConstructor

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
BLOCKS = 6
#: One of mmdet's own, whose head's levels share convolutions.
RTMDET = """
_base_ = 'mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py'
custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True, type='mmpretrain.ConvViT', arch='tiny', out_indices=(1, 2, 3)
    ),
    neck=dict(in_channels=[128, 192, 192]),
)
optim_wrapper = dict(
    constructor='LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.8),
)
"""
#: Config -> class of its model.
KINDS = {
    'detection/cascade-rcnn_dugi-mae-base_fpn_m3fd-inf': 'CascadeRCNN',
    RTMDET: 'RTMDet',
    'detection/faster-rcnn_mae-vit-base_fpn_m3fd-inf': 'FasterRCNN',
    'segmentation/upernet_dugi-mae-base_msrs': 'EncoderDecoder',
    'small_target/irstd_dugi-mae-tiny_sirst': 'SmallTargetSegmentor',
}
VIT = [name for name in KINDS if 'mae-vit' in name]
UPERNET = [name for name in KINDS if 'upernet' in name]
OPTIMIZER = dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.05))
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


@pytest.fixture(scope='module', params=KINDS, ids=KINDS.values())
def built(request) -> tuple[Config, nn.Module, str]:
    """Config, its model with six thin blocks, and what these are called."""
    if request.param == RTMDET:
        pytest.importorskip('mmdet')
        config = Config.fromstring(RTMDET, '.py')
    else:
        config = Config.fromfile(CONFIGS / f'{request.param}.py')
    scope, model = config.default_scope, config.model
    pytest.importorskip(scope)
    toys.shrink(model, toys.shrink_backbone(model))
    is_vit = 'ConvViT' not in model.backbone.type
    deep = dict(num_layers=BLOCKS) if is_vit else dict(depths=(1, 2, BLOCKS))
    model.backbone.arch = dict(toys.VIT if is_vit else toys.ARCH, **deep)
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(model)
    assert type(model).__name__ == KINDS[request.param]
    return config, model, 'layers' if is_vit else 'blocks3'


def groups(config: Config, model: nn.Module, **paramwise) -> dict[str, dict]:
    """Group of each parameter as a runner builds them from the config.

    Every trainable parameter is asserted to be in one group, and no other in any.
    """
    settings = config.optim_wrapper.to_dict()
    settings['paramwise_cfg'] |= {'custom_keys': {}, **paramwise}
    with DefaultScope.overwrite_default_scope(config.default_scope):
        wrapper = build_optim_wrapper(model, settings)
    names = {id(p): name for name, p in model.named_parameters()}
    found = [(id(p), g) for g in wrapper.optimizer.param_groups for p in g['params']]
    trained = [id(p) for p in model.parameters() if p.requires_grad]
    assert Counter(key for key, _ in found) == Counter(trained)
    return {names[key]: group for key, group in found}


def depth_of(name: str, blocks: str) -> int:
    """How far from the image: 0 before the blocks, ``BLOCKS`` + 1 behind them."""
    if name.startswith(f'backbone.{blocks}.'):
        return 1 + int(name.split('.')[2])
    early = ('patch_embed', 'pos_embed', 'cls_token', 'blocks1.', 'blocks2.')
    if name.removeprefix('backbone.').startswith(early):
        return 0
    return BLOCKS + 1


def test_rates_grow_with_depth(built):
    """``lr * rate ** (levels behind)``; heads and neck keep all."""
    config, model, blocks = built
    rate = config.optim_wrapper.paramwise_cfg.layer_decay_rate
    lr = config.optim_wrapper.optimizer.lr
    assert rate < 1
    depths, full = set(), set()
    for name, group in groups(config, model).items():
        depth = depth_of(name, blocks)
        depths.add(depth)
        assert group['lr'] == pytest.approx(lr * rate ** (BLOCKS + 1 - depth)), name
        if not name.startswith('backbone.'):
            assert group['lr'] == lr, name
            full.add(name.split('.')[0])
    assert depths == set(range(BLOCKS + 2))
    parts = {part for part, _ in model.named_children()}
    assert full == parts - {'backbone', 'data_preprocessor'}


def test_what_is_not_decayed(built):
    """Norms, biases, positions and tokens have no weight decay; all kernels have."""
    config, model, _ = built
    decay = config.optim_wrapper.optimizer.weight_decay
    assert decay > 0
    norms = {
        f'{prefix}.{name}'
        for prefix, module in model.named_modules()
        if isinstance(module, NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }
    free = ('bias', 'pos_embed', 'cls_token', 'rel_pos_bias')
    seen = Counter()
    for name, group in groups(config, model).items():
        last = name.rsplit('.', 1)[-1]
        kind = 'norm' if name in norms else last if last in free else 'kernel'
        seen[kind] += 1
        assert group['weight_decay'] == (decay if kind == 'kernel' else 0), name
    assert min(seen['norm'], seen['bias'], seen['kernel']) > 10
    # Six blocks, half of them global: a bias in each of the other three.
    assert seen['rel_pos_bias'] == 3 * config.model.backbone.get('rel_pos_bias', False)
    vit = 'ConvViT' not in config.model.backbone.type
    assert (seen['pos_embed'], seen['cls_token']) == (vit, vit)


def test_custom_keys_are_honoured(built):
    """They multiply the scales of what they match, and touch nothing else."""
    config, model, blocks = built
    decay = config.optim_wrapper.optimizer.weight_decay
    heads = ('roi_head', 'bbox_head', 'decode_head')
    head = next(part for part in heads if part in dict(model.named_children()))
    block = f'backbone.{blocks}.4'
    keys = {head: dict(lr_mult=10.0), block: dict(lr_mult=0.1, decay_mult=0.5)}
    plain = groups(config, model)
    for name, group in groups(config, model, custom_keys=keys).items():
        mult, wanted = 1.0, plain[name]['weight_decay']
        if block in name:
            mult, wanted = 0.1, 0.5 * decay
        elif head in name:
            # As in mmengine: a key answers for decay too, by default with 1.
            mult, wanted = 10.0, decay
        assert group['lr'] == pytest.approx(mult * plain[name]['lr']), name
        assert group['weight_decay'] == pytest.approx(wanted), name


@pytest.mark.parametrize('built', VIT, indirect=True)
def test_a_short_key_reaches_positions(built):
    """One shorter than ``pos_embed``: they follow it, undecayed unless it says so."""
    config, model, _ = built
    decay = config.optim_wrapper.optimizer.weight_decay
    plain = groups(config, model)['backbone.pos_embed']
    for key, wanted in ((dict(lr_mult=0.1), 0), (dict(decay_mult=2.0), 2 * decay)):
        keyed = groups(config, model, custom_keys=dict(backbone=key))
        group = keyed['backbone.pos_embed']
        assert group['lr'] == pytest.approx(key.get('lr_mult', 1) * plain['lr'])
        assert group['weight_decay'] == wanted


@pytest.mark.parametrize('built', UPERNET, indirect=True)
def test_settings_of_the_config_win(built):
    """Decay of norms can be switched back on, by itself."""
    config, model, blocks = built
    found = groups(config, model, norm_decay_mult=1.0)
    decay = config.optim_wrapper.optimizer.weight_decay
    assert found[f'backbone.{blocks}.0.norm1.weight']['weight_decay'] == decay
    assert found[f'backbone.{blocks}.0.attn.qkv.bias']['weight_decay'] == 0


@pytest.mark.parametrize('built', UPERNET, indirect=True)
def test_a_wrapped_model_has_the_same_scales(built):
    """Names behind a data-parallel wrapper's ``module.`` count alike."""
    config, model, _ = built
    wrapper = nn.Module()
    wrapper.module = model
    wrapped = groups(config, wrapper)
    for name, group in groups(config, model).items():
        assert wrapped[f'module.{name}']['lr'] == group['lr']


def test_a_backbone_without_levels_is_refused():
    """A backbone that cannot tell its levels is named."""
    model = nn.Module()
    model.backbone = nn.Conv2d(1, 1, 1)
    make = LayerDecayOptimWrapperConstructor(OPTIMIZER, dict(layer_decay_rate=0.5))
    with pytest.raises(DuGIError, match='Conv2d .* has no get_layer_depth'):
        make(model)


@pytest.mark.parametrize('rate', [None, 0, 1.5, float('nan')])
def test_a_missing_or_wrong_rate_is_refused(rate):
    """No silent default: the rate must be named and lie in (0, 1]."""
    with pytest.raises(DuGIError, match=f'layer_decay_rate={rate!r}: give a number'):
        LayerDecayOptimWrapperConstructor(OPTIMIZER, dict(layer_decay_rate=rate))


def test_a_missing_learning_rate_is_named():
    """What is scaled cannot be told without it."""
    config = dict(optimizer=dict(type='AdamW', weight_decay=0.05))
    with pytest.raises(DuGIError, match=r'optimizer\.lr is missing'):
        LayerDecayOptimWrapperConstructor(config, dict(layer_decay_rate=0.5))
