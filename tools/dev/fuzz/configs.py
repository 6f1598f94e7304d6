"""Fuzz target that builds and runs models of damaged configs."""

from __future__ import annotations

import re
import warnings

import torch
from mmengine.config import Config

from dugi_mae.apis.build import build_from_config
from dugi_mae.cli import read_config
from fuzz.edits import edit_bytes, edit_tree
from fuzz.trial import Trial

ARCH = dict(embed_dims=[8, 12, 16], depths=[1, 1, 2], num_heads=2)
IMG_SIZE = 64


def pretrain_config() -> dict:
    """A toy DuGI-MAE."""
    return dict(
        default_scope='mmpretrain',
        model=dict(
            type='DuGIMAE',
            data_preprocessor=dict(mean=[108.0] * 3, std=[51.0] * 3),
            masking=dict(
                type='EntropyMasking',
                mask_ratio=0.75,
                estimator='softmax',
                keep='highest',
                keep_order='raster',
                patch_size=16,
                num_bins=256,
                value_range=[-3.0, 3.0],
                embed_dims=16,
                in_channels=3,
            ),
            backbone=dict(
                type='MaskedConvViT',
                arch=dict(ARCH, mlp_ratio=2.0),
                in_channels=3,
                img_size=IMG_SIZE,
                impl='sparse',
                with_cp=False,
            ),
            guidance=dict(
                type='DualDomainGuidance',
                embed_dims=16,
                num_heads=2,
                depth=2,
                mlp_ratio=2.0,
                num_extra_tokens=0,
                mode='highpass',
                align='gather',
                source='image',
                radius=0.5,
                alpha=0.6,
                beta=7.0,
            ),
            neck=dict(
                type='MaskedDecoder',
                embed_dims=16,
                decoder_embed_dims=16,
                decoder_depth=1,
                decoder_num_heads=2,
                mlp_ratio=2.0,
                patch_size=16,
                out_channels=3,
                img_size=IMG_SIZE,
            ),
            head=dict(type='DuGIPretrainHead', norm_pix=True, in_channels=3),
        ),
    )


def segmentor_config() -> dict:
    """A toy small-target segmentor; what is the host's own is left out."""
    return dict(
        default_scope='mmseg',
        model=dict(
            type='SmallTargetSegmentor',
            backbone=dict(
                type='mmpretrain.ConvViT',
                arch=dict(ARCH),
                in_channels=3,
                out_indices=[0, 1, 2, 3],
                drop_path_rate=0.1,
                frozen_stages=1,
                with_cp=False,
                window_size=2,
                global_blocks=[0],
                rel_pos_bias=True,
                img_size=IMG_SIZE,
            ),
            decode_head=dict(
                type='IRSTDHead',
                in_channels=[8, 12, 16, 16, 3],
                in_index=[0, 1, 2, 3, -1],
                channels=4,
                num_heads=2,
                top_hat_radius=2,
                deep_supervision=0.5,
                loss_decode=dict(
                    type='SoftIoULoss',
                    per_image=False,
                    smooth=1.0,
                    false_alarm_weight=2.0,
                    loss_weight=1.0,
                ),
            ),
        ),
    )


TEXT = """default_scope = 'mmpretrain'
arch = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
model = dict(
    type='DuGIMAE',
    masking=dict(type='EntropyMasking', mask_ratio=0.75),
    backbone=dict(type='MaskedConvViT', arch=arch, img_size=64),
    guidance=dict(type='DualDomainGuidance', embed_dims=16, num_heads=2),
    neck=dict(type='MaskedDecoder', embed_dims=16, decoder_embed_dims=16,
              decoder_num_heads=2),
    head=dict(type='DuGIPretrainHead', norm_pix=False))
"""


def try_model(config: Config) -> None:
    """Build a model and let it see an image: what builds must run."""
    torch.manual_seed(0)
    model = build_from_config(config).eval()
    backbone = model.backbone
    channels = backbone.patch_embed1.proj.in_channels
    side = 16 * backbone.pos_grid[0]
    images = torch.randn(2, channels, min(side, 256), min(side, 256))
    with torch.no_grad():
        if config.default_scope == 'mmseg':
            features = model.extract_feat(images)
            logits = model.decode_head(features)
            labels = torch.zeros(2, *logits.shape[-2:], dtype=torch.long)
            model.decode_head.loss_decode(logits, labels)
        else:
            model(images, mode='loss')
            model(images, mode='predict')


def fuzz_config(trial: Trial) -> None:
    """Build a model from a config with one or two changed places, or damaged text."""
    rng = trial.rng
    if rng.random() < 0.2:
        text = trial.noted(edit_bytes(TEXT.encode(), rng))
        path = trial.write('config.py', text)
        trial.names += re.findall(r'\w+', TEXT)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # such as of odd escapes
            try_model(read_config(path))
        return
    tree = rng.choice((pretrain_config, segmentor_config))()
    for _ in range(rng.choice((1, 1, 1, 2))):
        tree, note, path = edit_tree(tree, rng)
        trial.notes.append(note)
        trial.names += [str(key) for key in path[-2:] if isinstance(key, str)]
    try_model(Config(tree))
