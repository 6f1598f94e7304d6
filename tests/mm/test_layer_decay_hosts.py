"""Layer-wise learning-rate decay on the hosts' models that our configs describe."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import toys
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
BLOCKS = 6
#: Config -> class of its model.
KINDS = {
    'detection/mask-rcnn_dugi-mae-tiny_fpn_infrared-coco': 'MaskRCNN',
    'detection/cascade-rcnn_dugi-mae-base_fpn_m3fd-inf': 'CascadeRCNN',
    'detection/rtmdet_dugi-mae-tiny_hit-uav': 'RTMDet',
    'detection/faster-rcnn_mae-vit-base_fpn_m3fd-inf': 'FasterRCNN',
    'segmentation/upernet_dugi-mae-base_msrs': 'EncoderDecoder',
    'small_target/irstd_dugi-mae-tiny_sirst': 'SmallTargetSegmentor',
}
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


@pytest.fixture(scope='module', params=KINDS)
def built(request) -> tuple[Config, nn.Module, str]:
    """Config, its model with six thin blocks, and what these are called."""
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
    assert type(model).__module__.startswith((f'{scope}.', 'dugi_mae.'))
    return config, model, 'layers' if is_vit else 'blocks3'


def groups(config: Config, model: nn.Module, **custom_keys: dict) -> dict[str, dict]:
    """Group of each parameter as a runner builds them from the config.

    Every trainable parameter is asserted to be in one group, and no other in any.
    """
    settings = config.optim_wrapper.to_dict()
    settings['paramwise_cfg']['custom_keys'] = custom_keys
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
    """``lr * rate ** (levels behind)``: strictly monotone, heads and neck keep all."""
    config, model, blocks = built
    rate = config.optim_wrapper.paramwise_cfg.layer_decay_rate
    lr = config.optim_wrapper.optimizer.lr
    assert rate < 1
    by_depth, full = {}, set()
    for name, group in groups(config, model).items():
        depth = depth_of(name, blocks)
        assert group['lr'] == pytest.approx(lr * rate ** (BLOCKS + 1 - depth)), name
        by_depth.setdefault(depth, set()).add(group['lr'])
        if not name.startswith('backbone.'):
            assert group['lr'] == lr, name
            full.add(name.split('.')[0])
    assert sorted(by_depth) == list(range(BLOCKS + 2))
    assert {len(values) for values in by_depth.values()} == {1}
    rates = [by_depth[depth].pop() for depth in sorted(by_depth)]
    assert all(a < b for a, b in itertools.pairwise(rates))
    parts = {part for part, _ in model.named_children()}
    assert full == parts - {'backbone', 'data_preprocessor'}


def test_what_is_not_decayed(built):
    """Norms, biases, positions and tokens have no weight decay; all kernels have."""
    config, model, _ = built
    decay = config.optim_wrapper.optimizer.weight_decay
    assert decay > 0
    found = groups(config, model)
    norms = {
        f'{prefix}.{name}'
        for prefix, module in model.named_modules()
        if isinstance(module, NORMS)
        for name, _ in module.named_parameters(recurse=False)
    }
    free = ('bias', 'pos_embed', 'cls_token', 'rel_pos_bias')
    seen = Counter()
    for name, group in found.items():
        last = name.rsplit('.', 1)[-1]
        kind = 'norm' if name in norms else last if last in free else 'kernel'
        seen[kind] += 1
        assert group['weight_decay'] == (decay if kind == 'kernel' else 0), name
    assert min(seen['norm'], seen['bias'], seen['kernel']) > 10
    # Six blocks, half of them global: a bias in each of the other three.
    assert seen['rel_pos_bias'] == 3 * config.model.backbone.get('rel_pos_bias', False)
    vit = 'ConvViT' not in config.model.backbone.type
    assert (seen['pos_embed'], seen['cls_token']) == (vit, vit)
    assert vit or not model.backbone.pos_embed.requires_grad


def test_custom_keys_are_honoured(built):
    """They multiply the scales of what they match, and touch nothing else."""
    config, model, blocks = built
    decay = config.optim_wrapper.optimizer.weight_decay
    heads = ('roi_head', 'bbox_head', 'decode_head')
    head = next(part for part in heads if part in dict(model.named_children()))
    block = f'backbone.{blocks}.4'
    plain = groups(config, model)
    keyed = groups(
        config,
        model,
        **{head: dict(lr_mult=10.0), block: dict(lr_mult=0.1, decay_mult=0.5)},
    )
    for name, group in keyed.items():
        mult, wanted = 1.0, plain[name]['weight_decay']
        if block in name:
            mult, wanted = 0.1, 0.5 * decay
        elif head in name:
            # As in mmengine: a key answers for decay too, by default with 1.
            mult, wanted = 10.0, decay
        assert group['lr'] == pytest.approx(mult * plain[name]['lr']), name
        assert group['weight_decay'] == pytest.approx(wanted), name
