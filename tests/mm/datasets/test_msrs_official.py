"""MSRS at its official size: lists, classes, palette and the nine-class score."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('mmseg', reason='the segmentation sets need mmsegmentation')

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, DefaultScope

from dugi_mae.converters import convert
from dugi_mae.mm.datasets.segmentation import MSRSDataset

#: Label value, name and colour (RGB) as the authors' visualize.py has them.
OFFICIAL = [
    ('unlabelled', (0, 0, 0)),
    ('car', (64, 0, 128)),
    ('person', (64, 64, 0)),
    ('bike', (0, 128, 192)),
    ('curve', (0, 0, 192)),
    ('car_stop', (128, 128, 0)),
    ('guardrail', (64, 64, 128)),
    ('color_cone', (192, 128, 128)),
    ('bump', (192, 64, 0)),
]
#: Images by day and at night; both splits together are the released 715 and 729.
SPLITS = dict(train=(536, 547), test=(179, 182))


def names_of(split: str) -> list[str]:
    """Names of the released kind, in order: numbers that differ between the splits."""
    day, night = SPLITS[split]
    first = 1 if split == 'train' else 2
    return [f'{first + 2 * i:05d}{"D" if i < day else "N"}' for i in range(day + night)]


@pytest.fixture(scope='module')
def released(tmp_path_factory) -> Path:
    """The released tree with 1083 + 361 images; one image's pixels stand for all."""
    root = tmp_path_factory.mktemp('released')
    grey = np.arange(16 * 18, dtype=np.uint16).reshape(16, 18).astype(np.uint8)
    labels = np.repeat(np.arange(9, dtype=np.uint8), 2)[None].repeat(16, axis=0)
    for name, pixels in (('grey', grey), ('labels', labels)):
        cv2.imwrite(str(root / f'{name}.png'), pixels)
    for split in SPLITS:
        for folder, name in (('ir', 'grey'), ('vi', 'grey')) + (
            ('Segmentation_labels', 'labels'),
        ):
            place = root / 'MSRS' / split / folder
            place.mkdir(parents=True)
            for stem in names_of(split):
                (place / f'{stem}.png').hardlink_to(root / f'{name}.png')
    return root / 'MSRS'


@pytest.fixture(scope='module')
def converted(released, tmp_path_factory) -> Path:
    """What the converter makes of it, without ``subset``: it is the whole set."""
    out = tmp_path_factory.mktemp('converted')
    convert('msrs', released, out)
    return out


def test_official_lists(converted):
    """Both lists hold every name of the split, once, and the record their hashes."""
    record = json.loads((converted / 'splits/record.json').read_text())['lists']
    numbers = {}
    for split in SPLITS:
        content = (converted / f'splits/{split}.txt').read_bytes()
        assert content.decode().split() == sorted(names_of(split))
        assert record[split]['sha256'] == hashlib.sha256(content).hexdigest()
        numbers[split] = record[split]['images']
    assert numbers == dict(train=1083, test=361)


def test_config_reads_the_official_split(released, converted, repo_root, monkeypatch):
    """The config's loaders see 1083 and 361 images, as released or by the lists."""
    monkeypatch.setenv('DUGI_DATA', str(released.parent))
    config = Config.fromfile(repo_root / 'configs/_base_/datasets/msrs_480x640.py')
    for part, split in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        settings = config[f'{part}_dataloader'].dataset.to_dict() | dict(pipeline=[])
        listed = settings | dict(
            data_root=str(converted), ann_file=f'splits/{split}.txt'
        )
        with DefaultScope.overwrite_default_scope('mmseg'):
            plain = DATASETS.build(settings | dict(data_root=str(released)))
            listed = DATASETS.build(listed)
        for dataset in (plain, listed):
            stems = [Path(s['img_path']).stem for s in dataset]
            assert stems == sorted(names_of(split))
            assert {Path(s['img_path']).parent.name for s in dataset} == {'ir'}


def test_names_and_palette_are_official():
    """Label value ``i`` is the i-th name and colour of the authors' own pictures."""
    meta = MSRSDataset.METAINFO
    pairs = zip(meta['classes'], map(tuple, meta['palette']), strict=True)
    assert list(pairs) == OFFICIAL


def test_score_is_over_nine_classes(repo_root):
    """The config's metric counts the background, and a class that is never right as 0.

    Predictions are the labels, but cars are called background.
    """
    config = Config.fromfile(repo_root / 'configs/_base_/datasets/msrs_480x640.py')
    assert not config.test_dataloader.dataset.get('reduce_zero_label', False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = MSRSDataset.METAINFO
    labels = torch.arange(9).repeat_interleave(2)[None].repeat(16, 1)
    predictions = labels.where(labels != 1, 0)
    metric.process(
        {},
        [
            dict(
                pred_sem_seg=dict(data=predictions[None]),
                gt_sem_seg=dict(data=labels[None]),
            )
        ],
    )
    scores = metric.evaluate(size=1)
    # IoU: background 2 of 4 columns, car none, the other seven all.
    assert scores['mIoU'] == pytest.approx(100 * (0.5 + 0 + 7) / 9, abs=0.01)
    assert scores['mAcc'] == pytest.approx(100 * 8 / 9, abs=0.01)
