"""The hosts' own loaders, inferencers and hooks get our reader's pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest

pytest.importorskip('mmdet', reason='its loader is tested')
pytest.importorskip('mmseg', reason='its inferencer is tested')

import tifffile
import torch
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from mmengine.registry import HOOKS, TRANSFORMS, VISUALIZERS, DefaultScope
from mmengine.structures import PixelData
from mmseg.apis import MMSegInferencer
from mmseg.structures import SegDataSample

import dugi_mae.mmdet
import dugi_mae.mmseg  # noqa: F401
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.images import load_infrared

INFRARED = dict(backend='infrared')


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
@pytest.mark.parametrize('loader', ['mmcv.LoadImageFromFile', 'mmdet.InferencerLoader'])
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
    assert np.array_equal(mmcv.imread(f'infrared://{path}'), expected)
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


def test_mmseg_inferencer(make_spot_model, tmp_path):
    """It finds what the toy model marks; the step that loads masks is idle."""
    config, weights = make_spot_model()
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
