"""What a user sees who trains on a damaged set: one line, before training starts."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet', reason='a detector is trained')
pytest.importorskip('mmseg', reason='a segmentor is trained')

import toys

from dugi_mae.errors import DuGIError

#: Thin heads on the encoder of the config.
DETECTOR = dict(
    neck=dict(out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=16),
    ),
)
SEGMENTOR = dict(decode_head=dict(channels=8), auxiliary_head=dict(channels=8))
CLASSES = "train_dataloader.dataset.metainfo.classes=('persn',)"


@pytest.mark.parametrize(
    ('name', 'model', 'options', 'parts'),
    [
        (
            'detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py',
            DETECTOR,
            [CLASSES],
            ("class 'persn'", 'train.json', "did you mean 'person'", 'metainfo.class'),
        ),
        (
            'segmentation/upernet_dugi-mae-tiny_custom.py',
            SEGMENTOR,
            [CLASSES, 'train_dataloader.dataset.type=MSRSDataset'],
            ("'persn'", 'is not a subset of', "'person'"),
        ),
    ],
)
def test_a_class_that_is_not_there(
    tmp_path, repo_root, monkeypatch, name, model, options, parts
):
    """``tools/train.py`` ends with the classes there are, ours and the host's way."""
    root = toys.write_coco(tmp_path / 'my_set', ['person', 'car'])
    for i in range(3):
        toys.write_image(root / f'labels/{i}.png', toys.noise(96, 128) % 2)
    (root / 'train.txt').write_text('0\n1\n2\n')
    for variable in ('DUGI_DATA', 'DUGI_COCO'):
        monkeypatch.setenv(variable, str(tmp_path))
    loader = 'dict(num_workers=0, persistent_workers=False, batch_size=2)'
    config, work_dir = tmp_path / 'config.py', tmp_path / 'work'
    config.write_text(
        f'_base_ = {str(repo_root / "configs" / name)!r}\n'
        f'model = {model}\ntrain_dataloader = {loader}\n'
    )
    options = ['--cfg-options', 'model.backbone.init_cfg=None', *options]
    arguments = ['train.py', str(config), '--work-dir', str(work_dir), *options]
    monkeypatch.setattr(sys, 'argv', arguments)
    with pytest.raises(DuGIError) as caught:
        runpy.run_path(str(repo_root / 'tools' / 'train.py'))['main']()
    assert not list(Path(work_dir).rglob('*.pth')), 'it was trained'
    assert '\n' not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
