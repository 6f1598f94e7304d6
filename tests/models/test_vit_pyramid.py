"""A pyramid on top of a plain vision transformer."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from dugi_mae.errors import DuGIError
from dugi_mae.models import MaskedMAEViT, ViTPyramid
from dugi_mae.checkpoints.pretrained import DuGIPretrained

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
BACKBONE = dict(
    type='mmpretrain.VisionTransformer',
    arch=ARCH,
    img_size=64,
    patch_size=16,
    out_type='featmap',
)


@pytest.mark.parametrize('host', ['mmdet', 'mmseg'])
def test_found_from_both_hosts(host):
    """The plain ViT and the neck build in either scope and give strides 4 to 32."""
    registry = pytest.importorskip(f'{host}.registry').MODELS
    with DefaultScope.overwrite_default_scope(host):
        backbone = registry.build(BACKBONE)
        neck = registry.build(dict(type='ViTPyramid', embed_dims=16))
    maps = neck(backbone(torch.randn(2, 3, 64, 96)))
    assert [tuple(x.shape) for x in maps] == [
        (2, 16, 64 // s, 96 // s) for s in (4, 8, 16, 32)
    ]


def test_levels_know_their_place():
    """A token moves its own cells on every level and no others."""
    neck = ViTPyramid(8)
    tokens = torch.randn(1, 8, 4, 6)
    changed = tokens.clone()
    changed[..., 1, 2] += 1
    for level, (before, after) in enumerate(
        zip(neck([tokens]), neck([changed]), strict=True)
    ):
        moved = (before != after).any(dim=1)[0].nonzero()
        scale = 4 / 2**level
        assert len(moved) > 0
        for row, col in moved.tolist():
            assert (int(row / scale), int(col / scale)) == (1, 2) or level == 3
            if level == 3:
                assert (row, col) == (0, 1)


def test_all_parameters_learn():
    """No parameter is unused: distributed training would refuse it."""
    neck = ViTPyramid(8)
    sum((x**2).sum() for x in neck([torch.randn(1, 8, 4, 4)])).backward()
    assert all(p.grad.abs().max() > 0 for p in neck.parameters())


def test_more_than_one_map_is_refused():
    """The message says which backbone option to set."""
    with pytest.raises(DuGIError, match='got 2 maps.*out_indices=-1'):
        ViTPyramid(8)([torch.zeros(1, 8, 4, 4)] * 2)


def test_pretrained_plain_vit_loads_completely(tmp_path):
    """What pre-training of a plain MAE wrote fits the backbone, positions resized."""
    source = MaskedMAEViT(arch=ARCH, img_size=96, patch_size=16)
    path = tmp_path / 'mae.pth'
    state = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    backbone = MODELS.build(BACKBONE)
    DuGIPretrained(str(path))(backbone)
    assert backbone.pos_embed.shape == (1, 17, 16)
    for name, value in backbone.state_dict().items():
        if name != 'pos_embed':
            assert torch.equal(value, source.state_dict()[name]), name
