"""Every config at full size on a GPU that is not there.

Under ``FakeTensorMode`` tensors have a shape, a type and a device, and no values: a
model of any size runs in a second, and raises where a tensor stayed on the CPU or a
head does not fit the encoder. The backward pass needs a real GPU: see the tests that
are marked ``gpu``.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from dugi_mae import create_encoder, create_pretrainer

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.glob('*/*.py')
    if path.parent.name not in ('_base_', 'demo')
)
#: Pre-training configs whose parts need most of what the backbone knows.
ENCODERS = (
    'dugi-mae_convvit-base_4xb96-coslr-400e_inf590k',
    'dugi-mae_convvit-base_reference-code',
    'infmae-ddg_convvit-base_4xb64-coslr-400e_inf590k',
    'mae-ddg_vit-base_4xb96-coslr-400e_inf590k',
)
#: Parameters of a few, as their tables and the paper have it.
PARAMETERS = {
    'pretrain/dugi-mae_convvit-base_4xb96-coslr-400e_inf590k.py': 119163267,
    'pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py': 7925315,
    'pretrain/infmae_convvit-base_4xb64-coslr-400e_inf590k.py': 96717696,
    'pretrain/mcmae_convvit-base_4xb96-coslr-400e_inf590k.py': 115041408,
    'pretrain/mae_vit-base_4xb96-coslr-400e_inf590k.py': 111907328,
}


def clear_tables() -> None:
    """Forget cached tables, which belong to the mode that they were made in."""
    for name, module in list(sys.modules.items()):
        if name.startswith('dugi_mae'):
            for value in vars(module).values():
                if hasattr(value, 'cache_clear'):
                    value.cache_clear()


@contextmanager
def fake_gpu(scope: str = 'mmengine') -> Iterator[None]:
    """Make new tensors fake ones on ``cuda:0`` and refuse all others."""
    clear_tables()
    mode = FakeTensorMode(allow_non_fake_inputs=False)
    try:
        with mode, torch.device('cuda:0'), DefaultScope.overwrite_default_scope(scope):
            yield
    finally:
        clear_tables()


def build(config: Config) -> nn.Module:
    """The model of a config."""
    return revert_sync_batchnorm(MODELS.build(config.model))


def outputs(model: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """What all parts of a model make of images."""
    if hasattr(model, 'masking'):
        yield model.loss(images)['loss']
        yield from model.reconstruct(images)[:4]
        return
    maps = model.extract_feat(images)
    if hasattr(model, 'decode_head'):
        yield model.decode_head(maps)
        if model.with_auxiliary_head:
            yield model.auxiliary_head(maps)
    elif hasattr(model, 'roi_head'):
        yield from itertools.chain(*model.rpn_head(maps))
        regions = images.new_empty(2, maps[0].shape[1], 7, 7)
        heads = model.roi_head.bbox_head
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            yield from head(regions)
        if model.with_mask:
            yield model.roi_head.mask_head(regions)
    else:
        yield from itertools.chain(*model.bbox_head(maps))


@pytest.mark.parametrize('name', LEAVES)
def test_config_runs_at_full_size(name):
    """All parts fit together, and every tensor is where the images are."""
    pytest.importorskip(dict(detection='mmdet').get(name.split('/')[0], 'mmseg'))
    config = Config.fromfile(CONFIGS / name)
    # 288 is a multiple of 32 and of no window.
    side = 224 if name.startswith('pretrain/') else 288
    with fake_gpu(config.default_scope):
        model = build(config)
        channels = len(config.model.data_preprocessor.mean)
        found = list(outputs(model, torch.empty(2, channels, side, side)))
    assert {str(x.device) for x in found} == {'cuda:0'}
    count = sum(p.numel() for p in model.parameters())
    assert count == PARAMETERS.get(name, count)


@pytest.mark.parametrize(('key', 'value'), [('arch', 'small'), ('in_channels', 1)])
@pytest.mark.parametrize('name', ENCODERS)
def test_one_override_changes_the_encoder(name, key, value):
    """All other parts follow the backbone; images of three equal channels do, too."""
    config = Config.fromfile(CONFIGS / f'pretrain/{name}.py')
    config.merge_from_dict({f'model.backbone.{key}': value})
    with fake_gpu('mmpretrain'):
        model = build(config)
        images = torch.empty(2, 3, 224, 224)
        losses = model(images, mode='loss')
        [sample, _] = model(images, mode='predict')
    assert losses['loss'].shape == ()
    assert sample.prediction.shape == (model.backbone.in_channels, 224, 224)
    assert (model.backbone.num_heads < 12) == (key == 'arch')


@pytest.mark.parametrize(
    'settings',
    [
        {},
        dict(window_size=4, rel_pos_bias=True),
        dict(layer_scale=True, f4_downsample='conv', drop_path_rate=0.1),
        dict(out_indices=(1, 3), in_channels=1),
    ],
)
def test_encoder(settings):
    """Every option of the encoder, at a size that is padded inside."""
    with fake_gpu():
        encoder = create_encoder(toys.ARCH, **settings)
        images = torch.empty(2, settings.get('in_channels', 3), 70, 100)
        maps = encoder(images)
        assert sum(x.float().sum() for x in maps).device.type == 'cuda'
    assert {x.device.type for x in maps} == {'cuda'}


@pytest.mark.parametrize('masking', ['entropy', 'grey_value', 'random'])
def test_pretrainer(masking):
    """Pre-training in plain PyTorch, with normalized targets."""
    with fake_gpu():
        model = create_pretrainer(toys.ARCH, masking=masking, norm_pix=True)
        assert model(torch.empty(2, 3, 64, 96)).device.type == 'cuda'


def test_a_tensor_on_the_cpu_is_found():
    """The check checks: one table that was left behind raises."""
    table = torch.zeros(3, 1, 1, device='cpu')
    with fake_gpu():
        encoder = create_encoder(toys.ARCH)
        with pytest.raises(Exception, match=r'[Ff]ake'):
            encoder(torch.empty(1, 3, 64, 64) + table)
        with pytest.raises(RuntimeError, match='device'):
            encoder(torch.empty(1, 3, 64, 64, device='cpu'))
