"""Classes and keys of a config's model that do not exist."""

from __future__ import annotations

import pytest
from mmengine.config import Config

import dugi_mae.mmseg  # noqa: F401
from dugi_mae.apis.build import build_from_config
from dugi_mae.errors import DuGIError
from dugi_mae.utils.registry import check_data, check_model

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 1), num_heads=2)


def segmentor() -> dict:
    """A segmentor of parts of two scopes."""
    return dict(
        default_scope='mmseg',
        model=dict(
            type='SmallTargetSegmentor',
            backbone=dict(type='mmpretrain.ConvViT', arch=ARCH, img_size=32),
            decode_head=dict(
                type='IRSTDHead',
                in_channels=[8, 12, 16, 16, 3],
                in_index=[0, 1, 2, 3, -1],
                channels=4,
                num_heads=2,
                loss_decode=[dict(type='SoftIoULoss')],
            ),
        ),
    )


def test_a_right_config_passes_unchanged():
    """Checking changes nothing, and the model is built."""
    config = Config(segmentor())
    check_model(config)
    assert config.to_dict() == Config(segmentor()).to_dict()
    assert type(build_from_config(config)).__name__ == 'SmallTargetSegmentor'


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'model.type': 'SmallTargetSegmenter'}, "did you mean 'SmallTargetSegmentor'"),
        (
            {'model.backbone.type': 'ConvViT'},
            "model.backbone.type='ConvViT' is unknown in the scope 'mmseg', .* "
            "did you mean 'mmpretrain.ConvViT'",
        ),
        ({'model.backbone.type': 'a b.c'}, "model.backbone.type='a b.c' is unknown"),
        ({'model.backbone.widnow_size': 2}, "did you mean 'window_size'"),
        (
            {'model.decode_head.loss_decode': [dict(type='SoftIoU')]},
            "model.decode_head.loss_decode.type='SoftIoU' .* 'SoftIoULoss'",
        ),
        (
            {'model.decode_head': [dict(type='FCNHead')]},
            'model.decode_head is a list: give one',
        ),
        ({'model.decode_head': 5}, 'model.decode_head=5 is no config'),
        ({'model.data_preprocessor': 5}, 'model.data_preprocessor=5 is no config'),
        ({'model.data_preprocessor': True}, 'data_preprocessor=True is no config'),
        ({'model.data_preprocessor': 'abc'}, "data_preprocessor='abc' is no config"),
        ({'model.data_preprocessor': [1]}, 'model.data_preprocessor is a list: give'),
        ({'model.decode_head': dict(channels=3)}, 'model.decode_head has no type'),
        ({'default_scope': ['mmseg']}, r"default_scope=\['mmseg'\]: give a name"),
    ],
)
def test_what_is_unknown_is_named(changes, message):
    """Each message has the key's whole path and the nearest name."""
    config = Config(segmentor())
    config.merge_from_dict(changes, allow_list_keys=False)
    if isinstance(changes.get('model.decode_head'), dict):
        config.model.decode_head = changes['model.decode_head']
    with pytest.raises(DuGIError, match=message):
        check_model(config)


def test_no_model():
    """A config without a model is named."""
    with pytest.raises(DuGIError, match='has no model: add'):
        check_model(Config(dict(default_scope='mmseg')))


def loaders() -> dict:
    """Data of two scopes' classes, one set within another."""
    train = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(
            type='SIRSTDataset',
            data_root='nowhere',
            pipeline=[dict(type='LoadInfraredImage'), dict(type='PackSegInputs')],
        ),
    )
    val = dict(type='mmpretrain.InfraredPretrainDataset', data_root='nowhere')
    return dict(
        default_scope='mmseg',
        train_dataloader=dict(dataset=train),
        val_dataloader=dict(dataset=val),
        test_dataloader=None,
    )


def test_right_data_passes():
    """Folders are not looked for, and configs without data are fine."""
    check_data(Config(loaders()))
    check_data(Config(dict(default_scope='mmseg')))


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            {'train_dataloader.dataset.dataset.type': 'SIRSTDatset'},
            r"train_dataloader\.dataset\.dataset\.type='SIRSTDatset' .*'SIRSTDataset'",
        ),
        (
            {'train_dataloader.dataset.dataset.data_rot': 'x'},
            "key of SIRSTDataset='data_rot' is unknown: did you mean 'data_root'",
        ),
        (
            {'val_dataloader.dataset.val_fracton': 0.1},
            "key of InfraredPretrainDataset='val_fracton' .* 'val_fraction'",
        ),
        (
            {'val_dataloader.dataset.type': 'InfraredPretrainDataset'},
            "did you mean 'mmpretrain.InfraredPretrainDataset'",
        ),
        (
            {'train_dataloader.dataset.dataset.pipeline.0.type': 'LoadInfaredImage'},
            r"pipeline\.0\.type='LoadInfaredImage' .* 'LoadInfraredImage'",
        ),
        ({'val_dataloader.dataset': 3}, 'val_dataloader.dataset=3 is no config'),
        ({'val_dataloader': 3}, 'val_dataloader.dataset=3 is no config'),
    ],
)
def test_what_is_unknown_in_data_is_named(changes, message):
    """A typo in a set, its keys or its pipeline is named with its place."""
    config = Config(loaders())
    config.merge_from_dict(changes)
    with pytest.raises(DuGIError, match=message):
        check_data(config)


def test_a_set_without_its_folder_is_named():
    """An argument that has no default is asked for."""
    config = Config(loaders())
    del config.val_dataloader.dataset['data_root']
    with pytest.raises(DuGIError, match='InfraredPretrainDataset needs data_root'):
        check_data(config)
