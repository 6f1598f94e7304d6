"""The hosts' inferencers on our configs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain import FeatureExtractor

from dugi_mae.apis.host_inferencer import InferencerInput, use_infrared_loading
from dugi_mae.mm.transforms import LoadInfraredImage

DETECTOR = """
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'
custom_imports = dict(imports=['dugi_mae.mmdet'], allow_failed_imports=False)
default_scope = 'mmdet'
model = dict(
    data_preprocessor=dict(mean=[108.375] * 3, std=[51.0] * 3),
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvViT',
        arch=dict(embed_dims=(4, 4, 4), depths=(1, 1, 1), num_heads=2),
    ),
    neck=dict(in_channels=[4] * 4, out_channels=8),
    bbox_head=dict(num_classes=2, in_channels=8, feat_channels=8, stacked_convs=1),
)
test_dataloader = dict(dataset=dict(type='CocoDataset', pipeline=[
    dict(type='LoadInfraredImage'),
    dict(type='Resize', scale=(64, 48), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
visualizer = dict(
    type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""


@pytest.fixture
def radiometric(tmp_path):
    """A 16-bit file with all its grey values within a few hundred counts."""
    values = 7000 + np.arange(300, dtype=np.uint16)
    image = np.resize(values, (48, 64))
    path = tmp_path / 'counts.png'
    cv2.imwrite(str(path), image)
    return path, image


@pytest.fixture
def detector(tmp_path):
    """Config and random weights of a toy detector."""
    pytest.importorskip('mmdet')
    config, weights = tmp_path / 'toy.py', tmp_path / 'toy.pth'
    config.write_text(DETECTOR)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(config).model)
    meta = dict(dataset_meta=dict(classes=('a', 'b'), palette=[[255, 0, 0]] * 2))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), weights)
    return str(config), str(weights)


def test_inputs_of_any_kind(radiometric):
    """Path, array and dict give the same pixels, as the loader reads them."""
    path, image = radiometric
    loader = LoadInfraredImage()
    step, want = InferencerInput(loader), loader.load(str(path))
    assert len(np.unique(want)) > 200
    for given in (str(path), image, dict(img=image), dict(img_path=str(path))):
        results = step(given)
        assert np.array_equal(results['img'], want)
        assert results['img_shape'] == results['ori_shape'] == (48, 64)
    assert step(str(path))['img_path'] == str(path)
    assert step(image)['img_path'] is None


def test_det_inferencer(detector, radiometric, tmp_path):
    """DetInferencer runs on a config with our loader, 16-bit files included."""
    det = pytest.importorskip('mmdet.apis').DetInferencer
    inferencer = det(*detector, device='cpu', show_progress=False)
    path, image = radiometric
    seen = []
    step = inferencer.model.data_preprocessor
    step.register_forward_pre_hook(lambda _, args: seen.append(args[0]['inputs'][0]))
    out = tmp_path / 'out'
    from_file = inferencer(str(path), out_dir=str(out), no_save_pred=False)
    from_array = inferencer(image)
    assert all(len(x.unique()) > 200 for x in seen)
    a, b = (r['predictions'][0] for r in (from_file, from_array))
    assert a['scores'] == b['scores']
    assert len(a['scores']) > 0
    assert (out / 'preds' / 'counts.json').is_file()
    assert (out / 'vis' / 'counts.png').is_file()


@pytest.mark.parametrize('channels', [1, 2])
def test_mmseg_inferencer(make_spot_model, channels):
    """MMSegInferencer finds the bright pixels of the toy model, labels left out."""
    seg = pytest.importorskip('mmseg.apis').MMSegInferencer
    config, weights = make_spot_model(channels=channels)
    config = Config.fromfile(config)
    config.visualizer = dict(
        type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
    )
    inferencer = seg(config, str(weights), device='cpu')
    image = np.full((48, 64), 20, np.uint8)
    image[10:14, 20:25] = 250
    result = inferencer(image, show=False)
    assert np.array_equal(result['predictions'] > 0, image > 160)


@pytest.mark.parametrize('host', ['mmdet', 'mmseg'])
def test_pictures(detector, make_spot_model, radiometric, tmp_path, host):
    """Pictures of files and arrays show the image that the model sees."""
    path, image = radiometric
    if host == 'mmdet':
        det = pytest.importorskip('mmdet.apis').DetInferencer
        inferencer = det(*detector, device='cpu', show_progress=False)
    else:
        seg = pytest.importorskip('mmseg.apis').MMSegInferencer
        config, weights = make_spot_model()
        config = Config.fromfile(config)
        config.visualizer = dict(
            type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
        )
        inferencer = seg(config, str(weights), device='cpu')
    grey = LoadInfraredImage(channels=1).load(str(path))[..., 0]
    for given, name in [(str(path), 'counts.png'), (image, None), (grey, None)]:
        out = tmp_path / f'{name}_{getattr(given, "dtype", "file")}'
        inferencer(given, out_dir=str(out))
        [picture] = (out / 'vis').iterdir()
        assert name in (None, picture.name)
        assert len(np.unique(cv2.imread(str(picture))[..., 0])) > 50


def test_feature_extractor(toy_pretrain_model, radiometric):
    """FeatureExtractor gives the visible tokens of files and arrays alike.

    Another host's inferencer in the process may have left its scope.
    """
    config, weights = toy_pretrain_model
    config = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmseg'):
        extractor = FeatureExtractor(config, pretrained=str(weights), device='cpu')
    path, image = radiometric
    from_file, from_array = extractor([str(path), image])
    assert from_file.shape == (49, 16)
    assert torch.equal(from_file, from_array)
    assert from_file.std() > 0


def test_other_configs_work_as_before(detector, tmp_path):
    """A config with the host's own loading keeps the host's own reader."""
    det = pytest.importorskip('mmdet.apis').DetInferencer
    config = Config.fromfile(detector[0])
    config.test_dataloader.dataset.pipeline[0] = dict(type='LoadImageFromFile')
    inferencer = det(config, detector[1], device='cpu', show_progress=False)
    assert type(inferencer.pipeline.transforms[0]).__name__ == 'InferencerLoader'


def test_taught_once():
    """Importing an entry module twice wraps nothing twice."""
    det = pytest.importorskip('mmdet.apis').DetInferencer
    import dugi_mae.mmdet  # noqa: F401

    before = det._init_pipeline
    use_infrared_loading(det)
    assert det._init_pipeline is before
