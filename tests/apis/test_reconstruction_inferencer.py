"""The reconstruction inferencer against the model and the metric."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import tifffile
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.registry import DefaultScope

from dugi_mae.apis import ReconstructionInferencer
from dugi_mae.errors import DuGIError
from dugi_mae.images.synthetic import generate_scene
from dugi_mae.mm.metrics import ReconstructionMetric


@pytest.fixture(scope='module')
def inferencer(toy_pretrain_model):
    return ReconstructionInferencer(*toy_pretrain_model, device='cpu')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two 8-bit images, one of 16 bits, and one that is damaged."""
    folder = tmp_path_factory.mktemp('images')
    for seed in (0, 1):
        image = generate_scene(seed=seed, height=250, width=300, bit_depth=8).image
        cv2.imwrite(str(folder / f'{seed}.png'), image)
    deep = generate_scene(seed=2, height=256, width=240, bit_depth=14).image
    tifffile.imwrite(folder / 'deep.tif', deep.astype(np.uint16))
    (folder / 'x.png').write_bytes(b'\x89PNG cut')
    return folder


@pytest.fixture(scope='module')
def run(inferencer, folder, tmp_path_factory):
    """Results and output folder of a run over the folder."""
    out = tmp_path_factory.mktemp('out')
    return inferencer(folder, out, batch_size=2), out


def test_errors_are_those_of_the_metric(inferencer, folder, run):
    """Each image's numbers are what testing with the config's pipeline gives."""
    config = Config.fromfile(inferencer.settings['config'])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose(config.test_dataloader.dataset.pipeline)
    metric = ReconstructionMetric()
    for result, name in zip(run[0], ('0.png', '1.png', 'deep.tif'), strict=True):
        sample = pipeline(dict(img_path=str(folder / name)))
        with torch.no_grad():
            (host,) = inferencer.model.test_step(default_collate([sample]))
        metric.process({}, [host.to_dict()])
        expected = metric.results[-1]
        found = [result.masked_mse, result.mean_fill_mse, result.nearest_fill_mse]
        assert found == pytest.approx(expected, rel=1e-4)
    totals = inferencer.report['metrics']
    assert totals == pytest.approx(metric.compute_metrics(metric.results), rel=1e-4)


def test_visible_places_stay(run):
    """The reconstruction is the image at visible places; a quarter of all tokens is."""
    for result in run[0]:
        assert result.image.shape == result.reconstruction.shape == (224, 224, 3)
        assert result.image.dtype == result.reconstruction.dtype == np.uint8
        assert result.visible.mean() == pytest.approx(0.25)
        same = (result.image == result.reconstruction).all(axis=2)
        assert same[result.visible].all() and not same[~result.visible].all()


def test_image_is_what_the_pipeline_made(inferencer, folder):
    """The grey values are the input's own, resized and cropped only."""
    image = cv2.imread(str(folder / '0.png'))
    side = cv2.resize(image, (288, 240), interpolation=cv2.INTER_CUBIC)
    (result,) = inferencer(folder / '0.png')
    expected = side[8:232, 32:256].astype(int)
    assert np.abs(result.image - expected).max() <= 1


def test_json_and_panels(run):
    """One entry and one panel an image; what is damaged is listed."""
    results, out = run
    report = json.loads((out / 'results.json').read_text())
    assert [e['name'] for e in report['images']] == ['0', '1', 'deep']
    for entry, result in zip(report['images'], results, strict=True):
        assert entry['masked_mse'] == result.masked_mse
        assert (entry['width'], entry['height']) == (224, 224)
        panel = cv2.imread(str(out / entry['picture']))
        assert panel.shape[1] > 4 * panel.shape[0] > 0
    assert [f['name'] for f in report['failed']] == ['x']
    assert 'x.png is damaged' in report['failed'][0]['reason']


def test_panel_shows_the_scored_mask(toy_pretrain_model, folder, tmp_path, monkeypatch):
    """With random masking, picture and numbers are of one and the same mask."""
    config = Config.fromfile(toy_pretrain_model[0])
    config.model.masking = dict(type='RandomMasking', mask_ratio=0.75)
    inferencer = ReconstructionInferencer(config, toy_pretrain_model[1], device='cpu')
    calls = []
    reconstruct = inferencer.model.reconstruct
    monkeypatch.setattr(
        inferencer.model, 'reconstruct', lambda x: calls.append(1) or reconstruct(x)
    )
    inferencer(folder / '0.png', tmp_path)
    assert len(calls) == 1
    assert (tmp_path / 'panels' / '0.png').is_file()


def test_flat_images(inferencer, tmp_path):
    """Without contrast the nearest token fills exactly: the ratio to it is null."""
    images = [np.full((240, 240), level, np.uint8) for level in (90, 200)]
    results = inferencer(images, tmp_path)
    assert [(r.name, r.frame) for r in results] == [
        ('array_0', None),
        ('array_1', None),
    ]
    report = json.loads((tmp_path / 'results.json').read_text())
    assert report == inferencer.report
    assert report['metrics']['nearest_fill_mse'] == 0
    assert report['metrics']['ratio_to_nearest_fill'] is None
    assert report['metrics']['masked_mse'] > 0


def test_a_model_that_gives_no_numbers(inferencer, tmp_path, monkeypatch):
    """Broken weights show as null, also in the entry of an image."""
    reconstruct = inferencer.model.reconstruct
    monkeypatch.setattr(
        inferencer.model,
        'reconstruct',
        lambda x: reconstruct(x)._replace(prediction=torch.full_like(x, torch.nan)),
    )
    inferencer(generate_scene(seed=1, height=240, width=240, bit_depth=8).image)
    (entry,) = inferencer.report['images']
    assert entry['masked_mse'] is None and entry['mean_fill_mse'] > 0
    assert inferencer.report['metrics']['masked_mse'] is None


def test_bad_models(toy_pretrain_model, make_spot_model):
    """A config for another task and a checkpoint that does not fit are named."""
    pytest.importorskip('mmseg')
    spot_config, spot_checkpoint = make_spot_model()
    with pytest.raises(DuGIError, match='spot.py.*use SmallTargetInferencer'):
        ReconstructionInferencer(spot_config, spot_checkpoint)
    with pytest.raises(DuGIError, match='spot.pth does not fit.*Missing'):
        ReconstructionInferencer(toy_pretrain_model[0], spot_checkpoint)
