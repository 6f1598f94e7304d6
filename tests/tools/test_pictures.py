"""``tools/test.py --show-dir`` and pictures of validation, on 16-bit files."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='detectors are tested')
pytest.importorskip('mmseg', reason='segmentors are tested')

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parents[2]
ARCH = dict(_delete_=True, embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
CONFIGS = {
    'mmdet': f"""
_base_ = '{ROOT}/configs/detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py'
model = dict(
    backbone=dict(arch={ARCH}, init_cfg=None),
    neck=dict(in_channels=[8, 12, 16, 16], out_channels=8),
    rpn_head=dict(in_channels=8, feat_channels=8),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=8),
        bbox_head=dict(in_channels=8, fc_out_channels=8)))
""",
    'mmseg': f"""
_base_ = '{ROOT}/configs/segmentation/upernet_dugi-mae-tiny_index-png.py'
model = dict(
    backbone=dict(arch={ARCH}, init_cfg=None),
    decode_head=dict(in_channels=[8, 12, 16, 16], channels=8),
    auxiliary_head=dict(in_channels=16, channels=8))
""",
}
LOADER = 'dict(num_workers=0, persistent_workers=False)'


@pytest.fixture
def radiometric_set(tmp_path, monkeypatch) -> Path:
    """One 16-bit file of 300 neighbouring counts, as any set of either host."""
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    monkeypatch.setenv('DUGI_COCO', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'my_set'
    for folder in ('images', 'labels', 'annotations'):
        (root / folder).mkdir(parents=True)
    image = np.resize(7000 + np.arange(300, dtype=np.uint16), (96, 128))
    cv2.imwrite(str(root / 'images/a.png'), image)
    cv2.imwrite(str(root / 'labels/a.png'), np.zeros((96, 128), np.uint8))
    content = dict(
        images=[dict(id=1, file_name='a.png', width=128, height=96)],
        annotations=[
            dict(id=1, image_id=1, category_id=1, bbox=[9, 8, 50, 40], area=2000)
        ],
        categories=[dict(id=1, name='a'), dict(id=2, name='b')],
    )
    for split in ('train', 'val', 'test'):
        (root / f'{split}.txt').write_text('a')
        (root / f'annotations/{split}.json').write_text(json.dumps(content))
    return tmp_path


def make_run(host: str, folder: Path, name: str) -> tuple[Path, Path]:
    """Config and random weights of a toy model."""
    config, weights = folder / f'{host}.py', folder / f'{host}.pth'
    config.write_text(
        f'{CONFIGS[host]}\nval_dataloader = {LOADER}\ntest_dataloader = {LOADER}\n'
        # Visualizers are kept by name for the life of a process.
        f"visualizer = dict(name='{host}_{name}')\n"
    )
    loaded = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope(loaded.default_scope):
        model = MODELS.build(loaded.model)
    torch.save(dict(state_dict=model.state_dict()), weights)
    return config, weights


def levels(pictures: list[Path]) -> list[int]:
    """Number of levels of one channel in each; mmseg paints over four fifths of it."""
    return [len(np.unique(cv2.imread(str(path))[..., 0])) for path in pictures]


@pytest.mark.parametrize(
    ('host', 'place'), [('mmdet', '.'), ('mmseg', 'vis_data/vis_image')]
)
def test_show_dir(monkeypatch, radiometric_set, host, place):
    """Pictures lie in the named folder and show the image as the model sees it."""
    config, weights = make_run(host, radiometric_set, 'test')
    flags = ['--show-dir', 'pictures', '--work-dir', 'tested']
    monkeypatch.setattr(sys, 'argv', ['test.py', str(config), str(weights), *flags])
    runpy.run_path(str(ROOT / 'tools/test.py'))['main']()
    found = list((radiometric_set / 'pictures' / place).glob('*.png'))
    assert len(found) == 1
    assert min(levels(found)) > 50


@pytest.mark.parametrize('host', CONFIGS)
def test_pictures_of_validation(radiometric_set, host):
    """The hook of a config, switched on, shows the same image."""
    path, weights = make_run(host, radiometric_set, 'val')
    config = Config.fromfile(path)
    config.update(work_dir='trained', load_from=str(weights))
    config.default_hooks.checkpoint = None  # nothing is trained
    config.default_hooks.visualization.update(draw=True, interval=1)
    Runner.from_cfg(config).val()
    found = list(Path('trained').rglob('vis_image/*.png'))
    assert len(found) == 1
    assert min(levels(found)) > 50
