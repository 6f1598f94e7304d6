"""Pure-Python configs, in which types are classes: read, inferred and handed to hosts.

The config has no ``custom_imports``: what it names it has imported.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmseg.apis import MMSegInferencer

from dugi_mae.apis.inputs import PredictPipeline
from dugi_mae.errors import DuGIError
from dugi_mae.mm.build import build_from_config

TOOL = Path(__file__).resolve().parents[2] / 'tools/infer.py'
BASE = """
from mmcv.transforms import LoadImageFromFile, Resize
from mmseg.datasets.transforms import PackSegInputs

from dugi_mae.mm.metrics.small_target_metric import SmallTargetMetric
from dugi_mae.mm.transforms.target_mask import LoadTargetMask

default_scope = 'mmseg'
test_evaluator = dict(type=SmallTargetMetric, distance=1.5)
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type=LoadImageFromFile, backend_args=dict(backend='infrared')),
            dict(type=Resize, scale_factor=1.0, keep_ratio=True),
            dict(type=LoadTargetMask),
            dict(type=PackSegInputs),
        ]
    )
)
"""
MODEL = """
from mmengine.config import read_base

with read_base():
    from .base import *

from mmengine.visualization import LocalVisBackend
from mmseg.models import FCNHead, SegDataPreProcessor
from mmseg.models.losses import CrossEntropyLoss
from mmseg.visualization import SegLocalVisualizer

from dugi_mae.mm.small_target.segmentor import SmallTargetSegmentor

visualizer = dict(type=SegLocalVisualizer, vis_backends=[dict(type=LocalVisBackend)])
model = dict(
    type=SmallTargetSegmentor,
    data_preprocessor=dict(
        type=SegDataPreProcessor, mean=[108.375] * 3, std=[51.0] * 3
    ),
    decode_head=dict(
        type=FCNHead,
        in_index=-1,
        in_channels=3,
        channels=3,
        num_convs=0,
        concat_input=False,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=True),
    ),
    test_cfg=dict(mode='whole'),
)
"""


@pytest.fixture
def spot(tmp_path, make_spot_model) -> tuple[Path, Path]:
    """A pure-Python config, and the weights that mark what is bright."""
    (tmp_path / 'base.py').write_text(BASE)
    config = tmp_path / 'spot.py'
    config.write_text(MODEL)
    model = build_from_config(Config.fromfile(config))
    weights = make_spot_model()[1]
    state_dict = torch.load(weights, weights_only=True)['state_dict']
    assert model.state_dict().keys() == state_dict.keys()
    return config, weights


@pytest.fixture
def image(tmp_path) -> Path:
    """A bright box on grey."""
    pixels = np.full((48, 64), 50, np.uint8)
    pixels[20:23, 30:34] = 250
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    return tmp_path / 'a.png'


def test_the_tool(monkeypatch, tmp_path, spot, image):
    """It finds the loader, leaves labels out and scores with the config's distance."""
    out = tmp_path / 'out'
    monkeypatch.setattr(sys, 'argv', ['x', *map(str, (*spot, image, '--out', out))])
    runpy.run_path(str(TOOL))['main']()
    report = json.loads((out / 'results.json').read_text())
    assert [t['box'] for t in report['images'][0]['targets']] == [[30, 20, 34, 23]]
    assert report['distance'] == 1.5


def test_another_loader(spot):
    """A loader that is not ours is told from ours by its class, too."""
    config = Config.fromfile(spot[0])
    del config.test_dataloader.dataset.pipeline[0]['backend_args']
    with pytest.raises(DuGIError, match="spot.py has no test pipeline.*'infrared'"):
        PredictPipeline(config)


def test_a_hosts_inferencer(spot, image):
    """As the documentation says: it looks for names, and gets them."""
    config = Config.fromfile(spot[0])
    for step in config.test_dataloader.dataset.pipeline:
        step.type = step.type.__name__
    inferencer = MMSegInferencer(config, str(spot[1]), device='cpu')
    result = inferencer(str(image), show=False)
    pixels = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(result['predictions'] > 0, pixels > 200)
