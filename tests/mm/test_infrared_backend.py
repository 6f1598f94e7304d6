"""The hosts' own loaders, inferencers and hooks get our reader's pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest

pytest.importorskip('mmdet', reason='its inferencer is tested')
pytest.importorskip('mmseg', reason='its inferencer is tested')

import tifffile
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from mmengine.registry import HOOKS, MODELS, TRANSFORMS, VISUALIZERS, DefaultScope
from mmengine.structures import PixelData
from mmseg.apis import MMSegInferencer
from mmseg.structures import SegDataSample

import dugi_mae.mmdet
import dugi_mae.mmseg  # noqa: F401
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.images import load_infrared

INFRARED = dict(backend='infrared')
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
    dict(type='LoadImageFromFile', backend_args=dict(backend='infrared')),
    dict(type='Resize', scale=(64, 48), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
visualizer = dict(
    type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""


@pytest.fixture
def counts() -> np.ndarray:
    """``(48, 64)`` uint16, all within a few hundred counts."""
    return np.resize(7000 + np.arange(300, dtype=np.uint16), (48, 64))


@pytest.fixture(params=['uint16', 'float32', 'colour'])
def path(request, tmp_path, counts) -> Path:
    """A file that hosts read wrongly, or in colours."""
    if request.param == 'uint16':
        cv2.imwrite(str(tmp_path / 'a.png'), counts)
        return tmp_path / 'a.png'
    if request.param == 'colour':
        grey = (counts % 251).astype(np.uint8)
        cv2.imwrite(str(tmp_path / 'a.bmp'), np.dstack([grey, grey[::-1], grey]))
        return tmp_path / 'a.bmp'
    tifffile.imwrite(tmp_path / 'a.tif', counts.astype(np.float32) / 25)
    return tmp_path / 'a.tif'


@pytest.mark.parametrize(
    'options', [{}, dict(normalizer='minmax'), dict(invalid=[7000, 280.0])]
)
@pytest.mark.parametrize(
    'loader',
    ['mmcv.LoadImageFromFile', 'mmdet.InferencerLoader', 'mmseg.InferencerLoader'],
)
def test_same_pixels_in_the_hosts_loaders(path, loader, options):
    """Options of the reader go into ``backend_args``; one channel is the loader's."""
    scope, name = loader.split('.')
    for color, channels in (('color', 3), ('grayscale', 1)):
        step = dict(type=name, backend_args=INFRARED | options, color_type=color)
        if name == 'InferencerLoader':  # it passes them to its loader of arrays, too
            step.pop('color_type')
            channels = 3
        with DefaultScope.overwrite_default_scope(scope):
            transform = TRANSFORMS.build(step)
        results = transform(dict(img_path=str(path)))
        image = results['img'].reshape(48, 64, channels)
        expected = load_infrared(path, channels=channels, **options)
        assert np.array_equal(image, expected)
        assert results['ori_shape'] == (48, 64)
        assert len(np.unique(image)) > 100


def test_paths_with_prefix(path):
    """``infrared://`` asks for the backend wherever hosts take a path."""
    expected = load_infrared(path)
    for name in (f'infrared://{path}', f'infrared://{path.parent}/{path.name}'):
        assert np.array_equal(mmcv.imread(name), expected)
    options = INFRARED | dict(channel=0)
    image = mmcv.imread(str(path), backend_args=options)
    assert np.array_equal(image, load_infrared(path, channel=0))


def test_other_methods_are_those_of_local_files(path):
    """Folders and names, with the prefix or without."""
    named = get_file_backend(backend_args=INFRARED)
    for prefix in ('', 'infrared://'):
        folder, name = f'{prefix}{path.parent}', f'{prefix}{path}'
        assert named.isdir(folder) and named.exists(name) and named.isfile(name)
        assert not named.isfile(folder) and not named.exists(f'{name}.gone')
        assert list(named.list_dir_or_file(folder, list_dir=False)) == [path.name]
        assert named.join_path(folder, path.name) == name


def test_bad_files_and_options(tmp_path):
    """Errors are those of the reader: the file is named."""
    (tmp_path / 'bad.png').write_bytes(b'404')
    for name, message in (('bad', 'is damaged'), ('gone', 'does not exist')):
        with pytest.raises(BadImageError, match=rf'{name}\.png {message}'):
            mmcv.imread(f'infrared://{tmp_path / name}.png')
    with pytest.raises(DuGIError, match="normalizer.*'percentile'"):
        get_file_backend(backend_args=INFRARED | dict(normalizer='percentil'))
    with pytest.raises(TypeError, match='chanel'):
        get_file_backend(backend_args=INFRARED | dict(chanel=1))


@pytest.fixture
def detector(tmp_path) -> DetInferencer:
    """A toy detector with random weights."""
    config, weights = tmp_path / 'toy.py', tmp_path / 'toy.pth'
    config.write_text(DETECTOR)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(config).model)
    meta = dict(dataset_meta=dict(classes=('a', 'b'), palette=[[255, 0, 0]] * 2))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), weights)
    return DetInferencer(str(config), str(weights), device='cpu', show_progress=False)


def test_det_inferencer(detector, tmp_path, counts):
    """It sees our pixels of files, folders and arrays, and draws on them."""
    folder, out = tmp_path / 'images', tmp_path / 'out'
    folder.mkdir()
    path = folder / 'counts.png'
    cv2.imwrite(str(path), counts)
    expected, seen = load_infrared(path), []
    detector.model.data_preprocessor.register_forward_pre_hook(
        lambda _, args: seen.append(args[0]['inputs'][0])
    )
    inputs = (str(path), f'infrared://{path}', f'infrared://{folder}', expected)
    results = [detector(given, out_dir=str(out)) for given in inputs]
    for image, result in zip(seen, results, strict=True):
        assert np.array_equal(image.permute(1, 2, 0), expected)
        scores = result['predictions'][0]['scores']
        assert scores and scores == results[0]['predictions'][0]['scores']
    picture = cv2.imread(str(out / 'vis' / 'counts.png'))
    assert len(np.unique(picture[..., 0])) > 50


@pytest.mark.parametrize('channels', [1, 2])
def test_mmseg_inferencer(make_spot_model, tmp_path, channels):
    """It finds what the toy model marks; the step that loads masks is idle."""
    config, weights = make_spot_model(channels=channels)
    config = Config.fromfile(config)
    pipeline = config.test_dataloader.dataset.pipeline
    pipeline[0] = dict(type='LoadImageFromFile', backend_args=INFRARED)
    config.visualizer = dict(
        type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
    )
    inferencer = MMSegInferencer(config, str(weights), device='cpu')
    image = np.full((48, 64), 7000, np.uint16)
    image[::2] += 30
    image[10:14, 20:25] = 7100
    path, out = tmp_path / 'counts.png', tmp_path / 'out'
    cv2.imwrite(str(path), image)
    result = inferencer(f'infrared://{path}', out_dir=str(out), show=False)
    assert np.array_equal(result['predictions'] > 0, image > 7030)
    picture = cv2.imread(str(out / 'vis' / 'counts.png'))
    assert len(np.unique(picture[20:, 30:])) > 1


@pytest.mark.parametrize('host', ['Det', 'Seg'])
def test_visualization_hooks(monkeypatch, tmp_path, counts, host):
    """What is drawn on is the image that the model saw."""
    path = tmp_path / 'counts.png'
    cv2.imwrite(str(path), counts)
    visualizer = f'{host}LocalVisualizer'
    with DefaultScope.overwrite_default_scope(f'mm{host.lower()}'):
        VISUALIZERS.build(dict(type=visualizer, name=f'{host} backend test'))
        hook = HOOKS.build(
            dict(type=f'{host}VisualizationHook', draw=True, backend_args=INFRARED)
        )
    drawn = []
    monkeypatch.setattr(
        hook._visualizer,
        'add_datasample',
        lambda _, image, **kwargs: drawn.append(image),
    )
    sample = SegDataSample(metainfo=dict(img_path=str(path), seg_map_path=None))
    sample.pred_sem_seg = PixelData(data=torch.zeros(1, 48, 64))

    class Runner:
        iter = 0

    hook.after_test_iter(Runner(), 0, {}, [sample])
    [image] = drawn
    assert np.array_equal(image, load_infrared(path))
