"""The small-target network as mmseg's head, and the segmentor around it."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from toys import ARCH, WIDTHS, stir

import dugi_mae.mmseg  # noqa: F401
from dugi_mae.models.small_target import SmallTargetNet, small_target_losses

TINY = (4, 4, 6, 6, 8)


def build(encoder: bool):
    """A complete segmentor of a few channels."""
    init_default_scope('mmseg')
    backbone = dict(type='mmpretrain.ConvViT', arch=ARCH, in_channels=1)
    model = MODELS.build(
        ConfigDict(
            type='SmallTargetSegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1),
            backbone=backbone if encoder else None,
            decode_head=dict(type='IRSTDHead', widths=TINY),
            test_cfg=dict(mode='whole'),
        )
    )
    model.init_weights()
    return stir(model)


@pytest.mark.parametrize('encoder', [True, False])
def test_equals_the_network(encoder):
    """The head is the plain network; the encoder's channels are found by themselves."""
    model = build(encoder).eval()
    net = SmallTargetNet(WIDTHS if encoder else (), TINY).eval()
    net.load_state_dict(model.decode_head.net.state_dict())
    images = torch.randn(2, 1, 32, 64)
    features = model.backbone(images) if encoder else ()
    expected = net(images, features)
    torch.testing.assert_close(model(images), expected)

    labels = torch.zeros(2, 1, 32, 64, dtype=torch.long)
    labels[..., 8:12, 9:12] = 1
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]
    losses = model(images, samples, mode='loss')
    for key, value in small_target_losses(expected, labels).items():
        torch.testing.assert_close(losses[f'decode.{key}'], value)


@pytest.mark.parametrize('encoder', [True, False])
def test_images_of_any_size(encoder):
    """A test image is what it is inside a larger one that goes on as in a mirror."""
    model = build(encoder).eval()
    image = torch.randn(1, 1, 64, 96)
    image[..., 50:, :] = image[..., 35:49, :].flip(2)
    image[..., 70:] = image[..., 43:69].flip(3)
    whole = model.predict(image)[0].seg_logits.data
    part = model.predict(image[..., :50, :70])[0].seg_logits.data
    torch.testing.assert_close(part, whole[..., :50, :70])
