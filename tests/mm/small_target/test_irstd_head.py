"""The small-target decoder as mmseg's head, and the segmentor around it."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from toys import ARCH, WIDTHS

import dugi_mae.mmseg  # noqa: F401
from dugi_mae.errors import DuGIError
from dugi_mae.models.small_target import SmallTargetDecoder, SoftIoULoss


def build(stem: bool = True, **head):
    """A complete segmentor of a few channels."""
    init_default_scope('mmseg')
    decode_head = dict(
        type='IRSTDHead',
        in_channels=[*WIDTHS, *[3] * stem],
        in_index=[0, 1, 2, 3, *[-1] * stem],
        channels=4,
        loss_decode=[
            dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True),
            dict(type='SoftIoULoss', loss_weight=2.0),
        ],
    )
    return MODELS.build(
        dict(
            type='SmallTargetSegmentor' if stem else 'EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', size=None),
            backbone=dict(type='mmpretrain.ConvViT', arch=ARCH),
            decode_head=decode_head | head,
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
def test_equals_the_decoder(stem):
    """The head has the names of the plain decoder, its weights and its logits."""
    model = build(stem, top_hat_radius=3 if stem else None, deep_supervision=0.5)
    model.init_weights()
    channels = [*WIDTHS, *[3] * stem]
    decoder = SmallTargetDecoder(
        channels, 4, top_hat_radius=3 if stem else None, side_outputs=True
    ).eval()
    head = model.eval().decode_head
    decoder.load_state_dict(head.state_dict())
    images = torch.randn(2, 3, 32, 64)
    features = model.extract_feat(images)
    assert len(features) == 4 + stem and (not stem or features[-1] is images)
    torch.testing.assert_close(head(features), decoder(features))
    assert head(features).sigmoid().median().item() == pytest.approx(0.01, rel=0.3)
    for conv in (head.conv_seg, *head.side_seg):
        assert conv.bias.item() == pytest.approx(-4.6)


@pytest.mark.parametrize('deep', [0.0, 0.6])
def test_losses(deep):
    """The side losses are those of each side output, times weight over their number."""
    model = build(deep_supervision=deep)
    labels = samples(2, (32, 32))
    losses = model(torch.randn(2, 3, 32, 32), labels, mode='loss')
    keys = {key for key in losses if 'loss' in key}
    sides = {f'decode.stride{s}.loss_{n}' for s in (8, 4, 2) for n in ('ce', 'iou')}
    assert keys == {'decode.loss_ce', 'decode.loss_iou'} | (sides if deep else set())
    if deep:
        head = model.eval().decode_head
        features = model.extract_feat(torch.randn(2, 3, 32, 32))
        losses = head.loss(features, labels, None)
        expected = head.loss_by_feat(head.side_seg[1](head.decode(features)[1]), labels)
        assert losses['stride4.loss_iou'].item() == pytest.approx(
            0.2 * expected['loss_iou'].item()
        )


def test_loss_is_the_plain_one_with_a_weight():
    """``SoftIoULoss`` of the registry adds mmseg's call, weight and name."""
    init_default_scope('mmseg')
    loss = MODELS.build(dict(type='SoftIoULoss', loss_weight=3.0, smooth=0.5))
    logits, label = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    expected = 3 * SoftIoULoss(smooth=0.5)(logits, label, ignore_index=0)
    assert torch.equal(loss(logits, label, weight=None, ignore_index=0), expected)
    assert loss.loss_name == 'loss_iou'


def test_in_channels_follow_from_the_encoder():
    """Without ``in_channels`` the head gets the encoder's and the image's."""
    head = build(in_channels=None).decode_head
    assert head.in_channels == [*WIDTHS, 3]


@pytest.mark.parametrize(
    'head, message',
    [
        (dict(in_channels=[8, 12, 16, 8, 3]), r'decode_head\.in_channels=.*leave'),
        (dict(in_index=[0, 1, 2, 9, -1]), 'from 0 to 4, or -1 for the image'),
        (dict(in_index=[0, 1, 2, 3]), r'in_channels=.*\[8, 12, 16, 16\]'),
        (dict(stem=False, in_index=[0, 1]), r'in_index=\[0, 1\].*one index each'),
        (dict(num_classes=5), 'num_classes=5.*leave num_classes out'),
        (dict(out_channels=2), 'out_channels=2.*leave out_channels out'),
        (dict(norm_cfg=dict(type='GN')), 'norm_cfg=.*leave norm_cfg out'),
        (dict(deep_supervision=-1), 'deep_supervision=-1'),
    ],
)
def test_bad_arguments(head, message):
    """Features and head must match, and settings be those that the head can have."""
    with pytest.raises(DuGIError, match=message) as caught:
        build(**head)
    assert '\n' not in str(caught.value)
