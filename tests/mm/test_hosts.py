"""The encoder inside stock detectors and segmentors, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData

import dugi_mae  # noqa: F401  registers the encoder
from dugi_mae.models import ConvViT

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
WIDTHS = [8, 12, 16, 16]


def build(host: str, config: dict):
    """Build with the registry and in the default scope of a host."""
    registry = pytest.importorskip(f'{host}.registry').MODELS
    with DefaultScope.overwrite_default_scope(host):
        model = registry.build(ConfigDict(config))
        model.init_weights()
    assert type(model.backbone) is ConvViT
    return model


def check_gradients(losses: dict, model) -> None:
    """Every loss is finite and every trained parameter of the encoder learns."""
    flat = []
    for name, value in losses.items():
        if 'loss' in name:
            flat += value if isinstance(value, list) else [value]
    total = sum(x.sum() for x in flat)
    assert torch.isfinite(total)
    total.backward()
    for name, p in model.backbone.named_parameters():
        if p.requires_grad:
            assert p.grad is not None, name
            assert p.grad.abs().max() > 0, name


def faster_rcnn(channels: int) -> dict:
    """A toy Faster R-CNN; only the ``backbone`` is ours."""
    anchors = dict(
        type='AnchorGenerator', scales=[4], ratios=[1.0], strides=[4, 8, 16, 32, 64]
    )
    coder = dict(type='DeltaXYWHBBoxCoder')
    assigner = dict(
        type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.3, min_pos_iou=0.1
    )
    sampler = dict(type='RandomSampler', num=32, pos_fraction=0.5)
    proposals = dict(
        nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7)
    )
    train = dict(allowed_border=-1, pos_weight=-1, debug=False)
    return dict(
        type='FasterRCNN',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[108.0] * channels,
            std=[51.0] * channels,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='mmpretrain.ConvViT',
            arch=ARCH,
            in_channels=channels,
            img_size=64,
            frozen_stages=-1,
        ),
        neck=dict(type='FPN', in_channels=WIDTHS, out_channels=16, num_outs=5),
        rpn_head=dict(
            type='RPNHead',
            in_channels=16,
            feat_channels=16,
            anchor_generator=anchors,
            bbox_coder=coder,
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
        ),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=0),
                out_channels=16,
                featmap_strides=[4, 8, 16, 32],
            ),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=16,
                fc_out_channels=16,
                roi_feat_size=3,
                num_classes=2,
                bbox_coder=coder,
                loss_cls=dict(type='CrossEntropyLoss'),
                loss_bbox=dict(type='L1Loss'),
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=assigner,
                sampler=dict(add_gt_as_proposals=False, **sampler),
                **train,
            ),
            rpn_proposal=proposals,
            rcnn=dict(assigner=assigner, sampler=sampler, **train),
        ),
        test_cfg=dict(
            rpn=proposals,
            rcnn=dict(
                score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5
            ),
        ),
    )


def plain_vit() -> dict:
    """The same detector over a plain ViT and our pyramid."""
    config = faster_rcnn(3)
    config['backbone'] = dict(
        type='mmpretrain.VisionTransformer',
        arch=dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32),
        img_size=64,
        patch_size=16,
        out_type='featmap',
    )
    fpn = config['neck'] | dict(in_channels=[16] * 4)
    config['neck'] = [dict(type='ViTPyramid', embed_dims=16), fpn]
    return config


@pytest.mark.parametrize('config', [faster_rcnn(3), plain_vit()], ids=['ours', 'vit'])
def test_regions_are_cut_from_their_place(config):
    """RoIAlign of mmcv gives what torchvision's gives: it misreads no map of ours."""
    mmdet = pytest.importorskip('mmdet.registry')
    roi_align = pytest.importorskip('torchvision.ops').roi_align
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = mmdet.MODELS.build(ConfigDict(config)).eval()
    maps = model.extract_feat(torch.randn(2, 3, 64, 96))
    rois = torch.tensor([[0, 3.2, 4.1, 40.0, 33.0], [1, 50.0, 10.0, 80.0, 60.0]])
    cut = model.roi_head.bbox_roi_extractor(maps[:1], rois)
    assert torch.allclose(cut, roi_align(maps[0], rois, 3, 1 / 4, 0, True), atol=1e-6)


@pytest.mark.parametrize('channels', [1, 3])
def test_faster_rcnn(channels):
    """A stock mmdet detector with FPN trains on and predicts from F1..F4."""
    det_sample = pytest.importorskip('mmdet.structures').DetDataSample
    boxes = pytest.importorskip('mmdet.structures.bbox').HorizontalBoxes
    model = build('mmdet', faster_rcnn(channels))
    samples, images = [], []
    for height, width in ((70, 96), (64, 80)):
        sample = det_sample(
            metainfo=dict(
                img_shape=(height, width),
                ori_shape=(height, width),
                scale_factor=(1.0, 1.0),
                img_id=len(samples),
            )
        )
        gt = torch.tensor([[4.0, 6.0, 40.0, 44.0], [30.0, 20.0, 62.0, 60.0]])
        sample.gt_instances = InstanceData(
            bboxes=boxes(gt), labels=torch.tensor([0, 1])
        )
        sample.ignored_instances = InstanceData(bboxes=boxes(torch.zeros(0, 4)))
        samples.append(sample)
        images.append(torch.randint(0, 256, (channels, height, width)).byte())
    batch = dict(inputs=images, data_samples=samples)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model.train()
        data = model.data_preprocessor(batch, training=True)
        check_gradients(model(**data, mode='loss'), model)
        model.eval()
        with torch.no_grad():
            results = model(
                **model.data_preprocessor(batch, training=False), mode='predict'
            )
    for result, (height, width) in zip(results, ((70, 96), (64, 80)), strict=True):
        found = result.pred_instances
        assert 0 < len(found) <= 5
        limit = torch.tensor([width, height, width, height])
        assert (found.bboxes >= 0).all()
        assert (found.bboxes <= limit).all()
        assert torch.isfinite(found.scores).all()


@pytest.mark.parametrize('channels', [1, 3])
def test_upernet(channels):
    """A stock mmseg segmentor with an auxiliary head trains and predicts."""
    seg_sample = pytest.importorskip('mmseg.structures').SegDataSample
    norm_cfg = dict(type='BN', requires_grad=True)
    common = dict(
        num_classes=3, norm_cfg=norm_cfg, align_corners=False, dropout_ratio=0.0
    )
    config = dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[108.0] * channels,
            std=[51.0] * channels,
            size=(64, 96),
            pad_val=0,
            seg_pad_val=255,
            test_cfg=dict(size_divisor=1),
        ),
        backbone=dict(
            type='mmpretrain.ConvViT', arch=ARCH, in_channels=channels, img_size=64
        ),
        decode_head=dict(
            type='UPerHead',
            in_channels=WIDTHS,
            in_index=[0, 1, 2, 3],
            channels=8,
            pool_scales=(1, 2),
            loss_decode=dict(type='CrossEntropyLoss'),
            **common,
        ),
        auxiliary_head=dict(
            type='FCNHead',
            in_channels=16,
            in_index=2,
            channels=8,
            num_convs=1,
            concat_input=False,
            loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
            **common,
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    model = build('mmseg', config)
    samples = []
    for _ in range(2):
        sample = seg_sample(
            metainfo=dict(img_shape=(60, 90), ori_shape=(60, 90), flip=False)
        )
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, 60, 90)))
        samples.append(sample)
    images = [torch.randint(0, 256, (channels, 60, 90)).byte() for _ in samples]
    batch = dict(inputs=images, data_samples=samples)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model.train()
        data = model.data_preprocessor(batch, training=True)
        check_gradients(model(**data, mode='loss'), model)
        model.eval()
        with torch.no_grad():
            results = model(
                **model.data_preprocessor(batch, training=False), mode='predict'
            )
    for result in results:
        labels = result.pred_sem_seg.data
        assert labels.shape == (1, 60, 90)
        assert set(labels.unique().tolist()) <= {0, 1, 2}
