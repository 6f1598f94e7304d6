"""``DuGIPretrained``, the ``init_cfg`` that loads an encoder completely or not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import toys
from mmengine.registry import MODELS, WEIGHT_INITIALIZERS, DefaultScope
from torch import nn

import dugi_mae.mmpretrain  # noqa: F401  registers the models
from dugi_mae import create_encoder, list_models
from dugi_mae.errors import DuGIError
from dugi_mae.mm.mae_vit import MaskedMAEViT
from dugi_mae.mm.pretrained import DuGIPretrained


def load(checkpoint: object, **kwargs) -> nn.Module:
    """Build and initialize an encoder as a config would."""
    options = {k: kwargs.pop(k) for k in ('strict', 'sha256') if k in kwargs}
    model = MODELS.build(
        dict(
            type='mmpretrain.ConvViT',
            **{'arch': toys.ARCH, 'img_size': 64, **kwargs},
            init_cfg=dict(type='DuGIPretrained', checkpoint=checkpoint, **options),
        )
    )
    model.init_weights()
    return model


@pytest.fixture
def saved(tmp_path) -> tuple[Path, dict]:
    """A pre-training checkpoint, and the state dict of its encoder."""
    state = toys.stir(toys.masked_conv_vit()).state_dict()
    torch.save({f'backbone.{k}': v for k, v in state.items()}, tmp_path / 'x.pth')
    return tmp_path / 'x.pth', state


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_configs_of_all_hosts_load_an_encoder(saved, log, scope):
    """Without a prefix; the log says in one line what was loaded."""
    pytest.importorskip(scope)
    path, state = saved
    with DefaultScope.overwrite_default_scope(scope):
        model = load(str(path), strict='complete')
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert [m for m in log if f'Loaded 67/67 tensors of ConvViT from {path}' in m]


def test_weights_of_a_training_that_diverged(saved):
    """They are refused whatever the layout of their file, not loaded without a word."""
    path, state = saved
    next(iter(state.values())).view(-1)[0] = torch.nan
    torch.save(dict(model=state, epoch=3), path)
    with pytest.raises(DuGIError, match='x.pth: .* not finite.*earlier checkpoint'):
        load(str(path))


def test_weights_that_ship_are_loaded_by_name():
    """The names of :func:`dugi_mae.list_models`."""
    [name] = list_models()
    model, core = load(name, arch='tiny', img_size=224), create_encoder('tiny', True)
    state = core.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())


def test_what_does_not_fit_is_logged_or_refused(saved, log):
    """``strict='warn'`` goes on with a warning, all else stops."""
    path, _ = saved
    with pytest.raises(DuGIError, match=r'x\.pth does not fit ConvViT.*wrong arch'):
        load(path, arch=dict(toys.ARCH, depths=(1, 1, 3)))
    load(path, arch=dict(toys.ARCH, depths=(1, 1, 3)), strict='warn')
    assert any('x.pth does not fit ConvViT' in m for m in log)
    with pytest.raises(DuGIError, match='sha256.*not 00'):
        load(path, sha256='00')


def test_no_file_named():
    """An unset path names the two ways out instead of training from scratch."""
    match = 'no pre-trained file for ConvViT.*checkpoint=FILE.*init_cfg=None'
    with pytest.raises(DuGIError, match=match):
        load(None)


def test_plain_modules_take_it_too(saved):
    """Models of a user's own, which mmengine has not built."""
    path, state = saved
    model = toys.conv_vit()
    WEIGHT_INITIALIZERS.build(dict(type='DuGIPretrained', checkpoint=path))(model)
    assert torch.equal(model.patch_embed4.weight, state['patch_embed4.weight'])


def test_a_plain_vit_of_pre_training_loads_completely(tmp_path):
    """What pre-training of a plain MAE wrote fits the backbone, positions resized."""
    source = MaskedMAEViT(arch=toys.VIT, img_size=96, patch_size=16)
    state = source.state_dict()
    path = tmp_path / 'mae.pth'
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in state.items()}), path)
    kind = 'mmpretrain.VisionTransformer'
    backbone = MODELS.build(
        dict(type=kind, arch=toys.VIT, img_size=64, patch_size=16, out_type='featmap')
    )
    DuGIPretrained(path)(backbone)
    assert backbone.pos_embed.shape == (1, 17, 16)
    for name, value in backbone.state_dict().items():
        if name != 'pos_embed':
            assert torch.equal(value, state[name]), name
