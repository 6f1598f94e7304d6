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
from toys import shrink, shrink_backbone, write_coco, write_image

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = dict(
    mmdet='detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py',
    mmseg='segmentation/upernet_dugi-mae-tiny_custom.py',
)


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    """Config and random weights of a toy model, on one 16-bit file of 300 counts."""
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    monkeypatch.setenv('DUGI_COCO', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    root = write_coco(tmp_path / 'my_set', ['a', 'b'], count=2)
    annotations = json.loads((root / 'annotations/val.json').read_text())
    annotations['images'].pop()
    image = np.resize(7000 + np.arange(300, dtype=np.uint16), (96, 128))
    write_image(root / 'images/0.png', image)
    write_image(root / 'labels/0.png', np.zeros((96, 128), np.uint8))
    for split in ('train', 'val', 'test'):
        (root / f'annotations/{split}.json').write_text(json.dumps(annotations))
        (root / f'{split}.txt').write_text('0')

    def make(host: str, name: str) -> tuple[Path, Path]:
        path, weights = tmp_path / f'{host}.py', tmp_path / f'{host}.pth'
        config = Config.fromfile(ROOT / 'configs' / CONFIGS[host])
        widths = shrink_backbone(config.model)
        for part in set(config.model) - {'backbone'}:
            shrink(config.model[part], widths)
        for loader in (config.val_dataloader, config.test_dataloader):
            loader.update(num_workers=0, persistent_workers=False)
        # Visualizers are kept by name for the life of a process.
        config.visualizer.name = f'{host}_{name}'
        config.dump(path)
        with DefaultScope.overwrite_default_scope(config.default_scope):
            model = MODELS.build(config.model)
        torch.save(dict(state_dict=model.state_dict()), weights)
        return path, weights

    return make


def assert_levels(folder: Path) -> None:
    """One picture, with the grey levels of the image as the model sees it.

    mmseg paints over four fifths of each level.
    """
    (path,) = folder.glob('*.png')
    assert len(np.unique(cv2.imread(str(path))[..., 0])) > 50


@pytest.mark.parametrize(
    ('host', 'place'), [('mmdet', '.'), ('mmseg', 'vis_data/vis_image')]
)
def test_show_dir(monkeypatch, make_run, host, place):
    """Pictures lie in the named folder and show the image as the model sees it."""
    config, weights = make_run(host, 'test')
    flags = ['--show-dir', 'pictures', '--work-dir', 'tested']
    monkeypatch.setattr(sys, 'argv', ['test.py', str(config), str(weights), *flags])
    runpy.run_path(str(ROOT / 'tools/test.py'))['main']()
    assert_levels(Path('pictures') / place)


@pytest.mark.parametrize('host', CONFIGS)
def test_pictures_of_validation(make_run, host):
    """The hook of a config, switched on, shows the same image."""
    path, weights = make_run(host, 'val')
    config = Config.fromfile(path)
    config.update(work_dir='trained', load_from=str(weights))
    config.default_hooks.checkpoint = None  # nothing is trained
    config.default_hooks.visualization.update(draw=True, interval=1)
    Runner.from_cfg(config).val()
    (folder,) = Path('trained').rglob('vis_image')
    assert_levels(folder)
