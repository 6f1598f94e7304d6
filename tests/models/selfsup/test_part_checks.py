"""Parts that cannot work together are refused when the model is built."""

from __future__ import annotations

import pytest
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import nn

from dugi_mae.errors import DuGIError


@pytest.fixture
def config(toy_pretrain_model) -> Config:
    """A toy pre-training config that works."""
    return Config.fromfile(toy_pretrain_model[0])


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('guidance.embed_dims', 24, 'guidance.embed_dims=24 .* set .*embed_dims=16'),
        ('neck.embed_dims', 24, 'model.neck.embed_dims=24 .*embed_dims=16'),
        ('backbone.in_channels', 1, 'in_channels=3 does not .* set .*in_channels=1'),
        ('guidance.in_channels', 1, 'model.guidance.in_channels=1 .*in_channels=3'),
        ('masking.patch_size', 8, 'model.masking.patch_size=8 .*patch_size=16'),
        ('head.patch_size', 32, 'model.head.patch_size=32 .*patch_size=16'),
        ('neck.out_channels', 1, 'set model.neck.patch_size=16 and .*out_channels=3'),
        ('neck.num_extra_tokens', 1, 'num_extra_tokens=1 .*backbone.num_extra_tok'),
        ('guidance.num_extra_tokens', 1, 'set model.guidance.num_extra_tokens=0'),
        ('backbone.img_size', 16, 'model.masking.mask_ratio=0.75 keeps 1 of 1 tokens'),
        ('masking.mask_ratio', 1.5, 'mask_ratio=1.5 .* such as 0.75'),
        ('masking.mask_rato', 0.5, "'mask_rato' is unknown: did you mean 'mask_ratio'"),
        ('backbone.windw', 7, "key of MaskedConvViT='windw' is unknown"),
        ('neck.decoder_dept', 2, "did you mean 'decoder_depth'"),
        ('neck.decoder_num_heads', 3, 'decoder_num_heads=3 equal heads'),
        ('neck.decoder_embed_dims', 10**6, 'decoder_embed_dims=1000000 is out of ran'),
        ('neck.img_size', 8, 'img_size=8 is smaller than patch_size=16'),
        ('masking.num_bins', 0.5, 'EntropyMasking got num_bins=0.5: give a whole num'),
        ('masking.value_range', (1, 1), r'value_range=\(1, 1\): give \(low, high\)'),
        ('masking.type', 'EntropyMaskin', "'EntropyMaskin' .* mean 'EntropyMasking'"),
        ('data_preprocessor.std', [0.0], r'std=\[0.0\]: give 1 or 3 numbers above 0'),
        ('data_preprocessor.mean', [1.0], r'mean=.* as many numbers of each'),
        ('data_preprocessor.x', 1, "key of SelfSupDataPreprocessor='x' is unknown"),
        ('guidance.radius', 1e9, 'radius=1000000000.0 is out of range'),
    ],
)
def test_what_does_not_fit_is_named(config, key, value, message):
    """The key, its value and the one that fits, in one line, before any image."""
    config.merge_from_dict({f'model.{key}': value})
    with pytest.raises(DuGIError, match=message) as caught:
        MODELS.build(config.model)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'neck.num_extra_tokens': 0}, 'set model.neck.num_extra_tokens=1'),
        ({'neck.num_extra_tokens': 2}, 'set model.neck.num_extra_tokens=1'),
        ({'guidance.num_extra_tokens': 0}, 'set model.guidance.num_extra_tokens=1'),
        ({'backbone.patch_size': 8}, 'model.backbone.patch_size=8: .* same patches'),
        (
            {'backbone.patch_cfg': dict(in_channels=1)},
            'model.guidance.in_channels=3 .* model.backbone.in_channels=1',
        ),
    ],
)
def test_what_does_not_fit_a_plain_vit_is_named(config, changes, message):
    """Tokens that the parts count apart would shift in silence: the built ones fit."""
    arch = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)
    config.model.backbone = dict(type='MaskedMAEViT', arch=arch, img_size=64)
    for part in ('guidance', 'neck'):
        config.model[part].num_extra_tokens = 1
    MODELS.build(config.model)
    config.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    with pytest.raises(DuGIError, match=message):
        MODELS.build(config.model)


def test_parts_of_a_users_own_are_not_asked(config):
    """A masking or guidance without these settings is taken as it is."""
    config.model.masking = nn.Identity()
    config.model.guidance = nn.Identity()
    assert isinstance(MODELS.build(config.model).masking, nn.Identity)
