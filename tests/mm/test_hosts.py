"""The encoder inside stock detectors and segmentors, forwards and backwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

import dugi_mae.mmpretrain  # noqa: F401  registers the encoder
from dugi_mae.models import ConvViT

SIZES = ((70, 96), (64, 80))


def stock(host: str, name: str) -> dict:
    """The model of a base config of a host, behind the encoder in toy widths."""
    module = pytest.importorskip(host)
    base = Path(module.__file__).parent / '.mim/configs/_base_/models'
    model = Config.fromfile(base / f'{name}.py').model
    model.backbone = dict(type='mmpretrain.ConvViT', arch=toys.ARCH, img_size=64)
    return model


def faster_rcnn(channels: int = 3) -> dict:
    """Stock Faster R-CNN over images of so many channels, with small anchors."""
    model = stock('mmdet', 'faster-rcnn_r50_fpn')
    model.backbone.in_channels = channels
    model.data_preprocessor.update(
        mean=[108.0] * channels, std=[51.0] * channels, bgr_to_rgb=False
    )
    widths = dict(zip((256, 512, 1024, 2048), toys.WIDTHS, strict=True))
    toys.shrink(model.neck, widths)
    for part in ('rpn_head', 'roi_head'):
        toys.shrink(model[part], {})
    model.rpn_head.anchor_generator.scales = [2]
    model.roi_head.bbox_head.num_classes = 2
    model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    return model


def plain_vit() -> dict:
    """The same detector over a plain ViT and our pyramid."""
    model = faster_rcnn()
    model.backbone = dict(
        type='mmpretrain.VisionTransformer',
        arch=toys.VIT,
        img_size=64,
        patch_size=16,
        out_type='featmap',
    )
    fpn = model.neck | dict(in_channels=[16] * 4)
    model.neck = [dict(type='ViTPyramid', embed_dims=16), fpn]
    return model


def upernet(channels: int) -> dict:
    """Stock UPerNet with its auxiliary head."""
    model = stock('mmseg', 'upernet_r50')
    model.pretrained = None
    model.backbone.in_channels = channels
    model.data_preprocessor.update(
        mean=[108.0] * channels,
        std=[51.0] * channels,
        bgr_to_rgb=False,
        size=(96, 96),
        test_cfg=dict(size_divisor=32),
    )
    model.decode_head.update(in_channels=toys.WIDTHS, channels=8, num_classes=3)
    model.auxiliary_head.update(in_channels=16, channels=8, num_classes=3)
    return model


def build(host: str, config: dict) -> nn.Module:
    """A model in the scope of its host, with fresh weights."""
    with DefaultScope.overwrite_default_scope(host):
        model = revert_sync_batchnorm(MODELS.build(config))
        model.init_weights()
    return model


def images(channels: int, sizes: Sequence) -> list[Tensor]:
    """Noise, an image of each size."""
    return [torch.randint(0, 256, (channels, *size)).byte() for size in sizes]


def train_and_predict(host: str, model: nn.Module, batch: dict) -> list:
    """Losses reach every parameter of the encoder; then the predictions."""
    assert isinstance(model.backbone, ConvViT)
    with DefaultScope.overwrite_default_scope(host):
        model.train()
        losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        total, _ = model.parse_losses(losses)
        assert torch.isfinite(total)
        total.backward()
        for name, parameter in model.backbone.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert parameter.grad.abs().max() > 0, name
        model.eval()
        with torch.no_grad():
            data = model.data_preprocessor(batch, training=False)
            return model(**data, mode='predict')


@pytest.mark.parametrize('make', [faster_rcnn, plain_vit])
def test_regions_are_cut_from_their_place(make):
    """RoIAlign of mmcv gives what torchvision's gives: it misreads no map of ours."""
    roi_align = pytest.importorskip('torchvision.ops').roi_align
    model = build('mmdet', make()).eval()
    maps = model.extract_feat(torch.randn(2, 3, 64, 96))
    rois = torch.tensor([[0, 3.2, 4.1, 40.0, 33.0], [1, 50.0, 10.0, 80.0, 60.0]])
    cut = model.roi_head.bbox_roi_extractor(maps[:1], rois)
    assert torch.allclose(cut, roi_align(maps[0], rois, 7, 1 / 4, 0, True), atol=1e-6)


@pytest.mark.parametrize('channels', [1, 3])
def test_faster_rcnn(channels):
    """A stock mmdet detector with FPN trains on and predicts from F1..F4."""
    model = build('mmdet', faster_rcnn(channels))
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes

    samples = []
    for i, size in enumerate(SIZES):
        sample = DetDataSample(
            metainfo=dict(
                img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0), img_id=i
            )
        )
        boxes = torch.tensor([[4.0, 6.0, 40.0, 44.0], [30.0, 20.0, 62.0, 60.0]])
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(boxes), labels=torch.tensor([0, 1])
        )
        sample.ignored_instances = InstanceData(
            bboxes=HorizontalBoxes(torch.zeros(0, 4))
        )
        samples.append(sample)
    batch = dict(inputs=images(channels, SIZES), data_samples=samples)
    results = train_and_predict('mmdet', model, batch)
    for result, (height, width) in zip(results, SIZES, strict=True):
        found = result.pred_instances
        assert 0 < len(found) <= 5
        assert (found.bboxes >= 0).all()
        assert (found.bboxes <= torch.tensor([width, height] * 2)).all()
        assert torch.isfinite(found.scores).all()


@pytest.mark.parametrize('channels', [1, 3])
def test_upernet(channels):
    """A stock mmseg segmentor with an auxiliary head trains and predicts."""
    model = build('mmseg', upernet(channels))
    from mmseg.structures import SegDataSample

    sizes = SIZES[:1] * 2  # mmseg tests batches of one size only
    samples = []
    for size in sizes:
        sample = SegDataSample(
            metainfo=dict(img_shape=size, ori_shape=size, flip=False)
        )
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, *size)))
        samples.append(sample)
    batch = dict(inputs=images(channels, sizes), data_samples=samples)
    results = train_and_predict('mmseg', model, batch)
    for result, size in zip(results, sizes, strict=True):
        labels = result.pred_sem_seg.data
        assert labels.shape == (1, *size)
        assert set(labels.unique().tolist()) <= {0, 1, 2}
