"""Fuzz target that builds and runs models of damaged configs."""

from __future__ import annotations

import copy
import pprint
import re
import warnings

import torch
from mmengine.config import Config
from torch import nn

from dugi_mae.cli import read_config
from dugi_mae.mm.build import build_from_config
from dugi_mae.models.small_target import small_target_losses
from fuzz.edits import edit_bytes, edit_tree
from fuzz.trial import Trial

ARCH = dict(embed_dims=[8, 12, 16], depths=[1, 1, 2], num_heads=2, mlp_ratio=2.0)
IMG_SIZE = 64
#: A toy DuGI-MAE.
PRETRAINING = dict(
    type='DuGIMAE',
    data_preprocessor=dict(mean=[108.0] * 3, std=[51.0] * 3),
    masking=dict(
        **dict(type='EntropyMasking', mask_ratio=0.75, estimator='softmax'),
        **dict(keep='highest', keep_order='raster', patch_size=16, num_bins=256),
        **dict(value_range=[-3.0, 3.0], embed_dims=16, in_channels=3),
    ),
    backbone=dict(
        **dict(type='MaskedConvViT', arch=ARCH, in_channels=3, img_size=IMG_SIZE),
        **dict(impl='sparse', with_cp=False),
    ),
    guidance=dict(
        **dict(type='DualDomainGuidance', embed_dims=16, num_heads=2, depth=2),
        **dict(mlp_ratio=2.0, num_extra_tokens=0, mode='highpass', align='gather'),
        **dict(source='image', radius=0.5, alpha=0.6, beta=7.0),
    ),
    neck=dict(
        **dict(type='MaskedDecoder', embed_dims=16, decoder_embed_dims=16),
        **dict(decoder_depth=1, decoder_num_heads=2, mlp_ratio=2.0, patch_size=16),
        **dict(out_channels=3, img_size=IMG_SIZE),
    ),
    head=dict(type='DuGIPretrainHead', norm_pix=True, in_channels=3),
)
#: A toy small-target segmentor; what is the host's own is left out.
SEGMENTOR = dict(
    type='SmallTargetSegmentor',
    backbone=dict(
        **dict(type='mmpretrain.ConvViT', arch=ARCH, in_channels=1, frozen_stages=1),
        **dict(out_indices=[0, 1, 2, 3], drop_path_rate=0.1, with_cp=False),
        **dict(window_size=2, global_blocks=[0], rel_pos_bias=True, img_size=IMG_SIZE),
    ),
    decode_head=dict(
        **dict(type='IRSTDHead', in_channels=[8, 12, 16, 16], image_channels=1),
        **dict(widths=[4, 4, 4, 8, 8], threshold=0.5),
    ),
)
SCOPES = dict(mmpretrain=PRETRAINING, mmseg=SEGMENTOR)
TEXT = f"default_scope = 'mmpretrain'\nmodel = {pprint.pformat(PRETRAINING)}\n"


def build_toy() -> nn.Module:
    """The toy pre-training model."""
    torch.manual_seed(0)
    config = dict(default_scope='mmpretrain', model=copy.deepcopy(PRETRAINING))
    return build_from_config(Config(config))


def try_model(config: Config) -> None:
    """Build a model and let it see an image: what builds must run."""
    torch.manual_seed(0)
    model = build_from_config(config).eval()
    backbone = getattr(model, 'backbone', None)
    if not hasattr(backbone, 'pos_grid'):  # a list in place of a dict, or no encoder
        return
    side = min(16 * backbone.pos_grid[0], 256)
    images = torch.randn(2, backbone.patch_embed1.proj.in_channels, side, side)
    with torch.no_grad():
        if config.get('default_scope') == 'mmseg':
            logits = model.decode_head(model.extract_feat(images))
            small_target_losses(logits, torch.zeros(2, 1, *logits.shape[2:]))
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
    scope = rng.choice(list(SCOPES))
    tree = dict(default_scope=scope, model=copy.deepcopy(SCOPES[scope]))
    if scope == 'mmseg':  # the head contradicts a changed encoder
        trial.names += ['decode_head.in_channels', 'decode_head.image_channels']
    for _ in range(rng.choice((1, 1, 1, 2))):
        tree, note, path = edit_tree(tree, rng)
        trial.notes.append(note)
        trial.names += [str(key) for key in path[-2:] if isinstance(key, str)]
    path = str(trial.folder / 'config.py')
    try_model(Config(tree, cfg_text=' ', filename=path))
