"""Tests of the small-target head and the segmentor that feeds it the image."""

import numpy as np
import pytest
import torch
from skimage.morphology import white_tophat

pytest.importorskip('mmseg')

from mmcv.cnn import ConvModule
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import dugi_mae.mmseg  # noqa: F401
from dugi_mae.errors import DuGIError
from dugi_mae.mm.small_target import IRSTDHead
from dugi_mae.models.small_target.enhancement import (
    FeatureEnhancement,
    local_contrast,
    top_hat,
)

DIMS = (8, 12, 16)
ARCH = dict(embed_dims=DIMS, depths=[1, 1, 1], num_heads=2)
LOSSES = [
    dict(type='CrossEntropyLoss', use_sigmoid=True),
    dict(type='SoftIoULoss'),
]


def head_config(stem=True, **kwargs):
    """A head of a few channels."""
    return (
        dict(
            type='IRSTDHead',
            in_channels=[*DIMS, DIMS[-1], *([3] if stem else [])],
            channels=4,
            loss_decode=LOSSES,
        )
        | kwargs
    )


def build(**head):
    """A whole segmentor of a few channels."""
    init_default_scope('mmseg')
    stem = head.get('stem', True)
    return MODELS.build(
        dict(
            type='SmallTargetSegmentor' if stem else 'EncoderDecoder',
            data_preprocessor=dict(
                type='SegDataPreProcessor',
                mean=[108.375] * 3,
                std=[51.0] * 3,
                size=None,
            ),
            backbone=dict(type='mmpretrain.ConvViT', arch=ARCH),
            decode_head=head_config(**head),
            test_cfg=dict(mode='whole'),
        )
    )


def samples(count, size):
    """Labels with one target each, as mmseg packs them."""
    result = []
    for i in range(count):
        label = torch.zeros(1, *size, dtype=torch.long)
        label[0, 8 + i : 12 + i, 9:12] = 1
        sample = SegDataSample(
            metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size)
        )
        sample.gt_sem_seg = PixelData(data=label)
        result.append(sample)
    return result


@pytest.mark.parametrize('stem', [True, False])
@pytest.mark.parametrize('size', [(64, 64), (32, 96)])
def test_logits_have_the_size_of_the_input(stem, size):
    """One logit a pixel at full resolution, with and without the stem."""
    model = build(stem=stem).eval()
    images = torch.randn(2, 3, *size)
    logits = model.decode_head(model.extract_feat(images))
    assert logits.shape == (2, 1, *size)


@pytest.mark.parametrize('size', [(50, 70), (33, 47), (20, 61)])
def test_any_size(size):
    """With the stem, sizes that are no multiple of 32 come back unchanged."""
    model = build().eval()
    assert model.encode_decode(
        torch.randn(1, 3, *size), [dict(img_shape=size)]
    ).shape == (1, 1, *size)


def test_starts_silent():
    """A new head predicts a probability of about 0.01 everywhere."""
    model = build()
    model.init_weights()
    prob = model.eval()(torch.randn(2, 3, 64, 64)).sigmoid()
    assert prob.median().item() == pytest.approx(0.01, rel=0.3)


@pytest.mark.parametrize('deep', [0.0, 0.5])
def test_every_parameter_learns(deep):
    """Forward, loss and backward reach each parameter of the head and the encoder."""
    torch.manual_seed(0)
    model = build(deep_supervision=deep)
    model.init_weights()
    losses = model(torch.randn(2, 3, 64, 64), samples(2, (64, 64)), mode='loss')
    keys = {key for key in losses if 'loss' in key}
    sides = {f'decode.stride{s}.loss_{n}' for s in (8, 4, 2) for n in ('ce', 'iou')}
    assert keys == {'decode.loss_ce', 'decode.loss_iou'} | (sides if deep else set())
    sum(losses[key] for key in keys).backward()
    trained = ((n, p) for n, p in model.named_parameters() if p.requires_grad)
    silent = [name for name, p in trained if p.grad is None or not p.grad.any()]
    assert not silent


def test_deep_supervision_is_a_weighted_mean():
    """The side losses are those of each side output times weight over their number."""
    torch.manual_seed(0)
    model = build(deep_supervision=0.6).eval()
    features = model.extract_feat(torch.randn(2, 3, 32, 32))
    head = model.decode_head
    losses = head.loss(features, samples(2, (32, 32)), None)
    maps = head.decode(features)
    expected = head.loss_by_feat(head.side_seg[1](maps[1]), samples(2, (32, 32)))
    assert losses['stride4.loss_iou'].item() == pytest.approx(
        0.2 * expected['loss_iou'].item()
    )


def test_stem_sees_single_pixels():
    """With the encoder switched off, a pixel still moves the logits next to it."""
    torch.manual_seed(0)
    model = build().eval()
    images = torch.zeros(2, 3, 64, 64)
    images[1, :, 20, 30] = 10
    *features, _ = model.extract_feat(torch.zeros_like(images))
    logits = model.decode_head([*features, images])
    rows, cols = (logits[1, 0] - logits[0, 0]).nonzero().unbind(1)
    assert 0 < len(rows) <= 400
    assert ((rows - 20).abs() <= 10).all()
    assert ((cols - 30).abs() <= 10).all()


def test_batch_independence():
    """The first image's logits do not depend on the second one."""
    torch.manual_seed(0)
    model = build().eval()
    images = torch.randn(2, 3, 32, 64)
    assert torch.allclose(model(images)[:1], model(images[:1]), atol=1e-5)


def test_local_contrast_equals_loop():
    """Each cell minus the mean of those neighbours that lie inside the map."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    result = local_contrast(x, 3)
    for row in range(5):
        for col in range(6):
            window = x[..., max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
            expected = x[0, 0, row, col] - window.mean()
            assert result[0, 0, row, col].item() == pytest.approx(expected.item())
    assert not local_contrast(torch.ones(1, 2, 4, 4), 5).any()


@pytest.mark.parametrize('size, radius', [((20, 31), 2), ((9, 40), 5)])
def test_top_hat_equals_scikit_image(size, radius):
    """The white top-hat with a square, in deviations of the image, as a logarithm."""
    torch.manual_seed(0)
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    square = np.ones((2 * radius + 1, 2 * radius + 1))
    for image, result in zip(images, top_hat(images, radius), strict=True):
        spots = white_tophat(image.mean(dim=0).numpy(), square)
        expected = np.log1p(spots / spots.std())
        np.testing.assert_allclose(result[0].numpy(), expected, atol=1e-12)


def test_top_hat_ignores_brightness_and_contrast():
    """Another gain and offset change nothing; a constant image gives 0."""
    torch.manual_seed(0)
    images = torch.randn(1, 3, 24, 24)
    changed = top_hat(0.4 * images + 1.5, 3)
    torch.testing.assert_close(changed, top_hat(images, 3), rtol=1e-4, atol=1e-5)
    for size in (8, 1):
        constant = top_hat(torch.ones(1, 3, size, size), 3)
        assert torch.equal(constant, torch.zeros(1, 1, size, size))


def test_top_hat_reaches_the_stem():
    """It is one channel more of the stem, and its weights learn."""
    torch.manual_seed(0)
    model = build(top_hat_radius=3)
    conv = model.decode_head.stem[0].conv
    assert conv.in_channels == 3 + 1
    losses = model(torch.randn(2, 3, 32, 32), samples(2, (32, 32)), mode='loss')
    (losses['decode.loss_ce'] + losses['decode.loss_iou']).backward()
    assert conv.weight.grad[:, 3].any()


def test_enhancement_keeps_the_grid():
    """The enhanced map has the new width and the old grid."""
    layer = FeatureEnhancement(6, 8, num_heads=2, norm_cfg=dict(type='BN')).eval()
    assert layer(torch.randn(2, 6, 3, 5)).shape == (2, 8, 3, 5)


@pytest.mark.parametrize('stem', [True, False])
def test_convolutions_and_activations_are_those_of_the_config(stem):
    """``conv_cfg`` and ``act_cfg`` reach every convolution of the decoder."""
    head = MODELS.build(
        head_config(
            stem,
            conv_cfg=dict(type='Conv2dAdaptivePadding'),
            act_cfg=dict(type='Tanh'),
        )
    )
    modules = [m for m in head.modules() if isinstance(m, ConvModule)]
    assert len(modules) == 2 * 2 + 2 + 2 * 5 + 2 * stem
    for module in modules:
        assert isinstance(module.conv, Conv2dAdaptivePadding)
        assert isinstance(module.activate, torch.nn.Tanh)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(in_channels=[8, 12]), 'in_channels=.*F1, F2, F3, F4'),
        (dict(num_classes=5), 'num_classes=5.*leave num_classes out'),
        (dict(out_channels=2), 'out_channels=2.*leave out_channels out'),
        (dict(num_heads=5), 'num_heads=5'),
        (dict(top_hat_radius=0), 'top_hat_radius=0.*nearest is 1'),
        (
            dict(top_hat_radius=3, in_channels=[8, 12, 16, 16]),
            'top_hat_radius=3.*without a stem.*fifth entry of in_channels',
        ),
    ],
)
def test_bad_arguments(change, message):
    """Settings that the head cannot have end in a message that names them."""
    config = head_config() | change
    config.pop('type')
    with pytest.raises(DuGIError, match=message):
        IRSTDHead(**config)


@pytest.mark.parametrize(
    'head, message',
    [
        (
            dict(in_channels=[8, 12, 16, 8, 3]),
            r'set model\.decode_head\.in_channels=\[8, 12, 16, 16, 3\]',
        ),
        (dict(in_index=[0, 1, 2, 9, -1]), 'choose from 0 to 4, or -1 for the image'),
        (dict(in_index=[0, 1]), 'give one index each, -1 for the image'),
        (dict(in_channels=[8, 12, 16, 16, 0]), 'in_channels=0 is out of range'),
        (dict(channels='4'), "IRSTDHead got channels='4': give a whole number"),
    ],
)
def test_features_and_head_must_fit(head, message):
    """What a head expects and the backbone gives are compared when they are built."""
    with pytest.raises(DuGIError, match=message) as caught:
        build(**head)
    assert '\n' not in str(caught.value)
