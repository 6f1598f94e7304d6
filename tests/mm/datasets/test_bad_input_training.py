"""What a user sees who trains on a damaged set or from another encoder's file."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip('mmdet', reason='a detector is trained')
pytest.importorskip('mmseg', reason='a segmentor is trained')

import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.mm.pretrained import DuGIPretrained
from dugi_mae.models import ConvViT, MaskedConvViT

ROOT = Path(__file__).resolve().parents[3]
LOADER = dict(num_workers=0, persistent_workers=False, batch_size=2)
DETECTION = 'detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py'
SEGMENTATION = 'segmentation/upernet_dugi-mae-tiny_custom.py'
#: Thin heads on the encoder of the config, which is not touched.
MODELS = {
    DETECTION: dict(
        neck=dict(out_channels=16),
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=16),
            bbox_head=dict(in_channels=16, fc_out_channels=16),
        ),
    ),
    SEGMENTATION: dict(decode_head=dict(channels=8), auxiliary_head=dict(channels=8)),
}
#: The encoder from scratch: the heads are not what is tested.
SCRATCH = 'model.backbone.init_cfg=None'
DATA = 'train_dataloader.dataset'
CLASSES = f'{DATA}.metainfo.classes'


@pytest.fixture
def train(tmp_path, monkeypatch) -> Callable[..., str]:
    """Start ``tools/train.py`` on a config; returns the one line that it ends with."""
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    monkeypatch.setenv('DUGI_COCO', str(tmp_path))

    def start(name: str, *options: str) -> str:
        config = tmp_path / 'config.py'
        loaders = [f'{part}_dataloader = {LOADER}' for part in ('train', 'val', 'test')]
        base = str(ROOT / 'configs' / name)
        lines = [f'_base_ = {base!r}', f'model = {MODELS[name]}', *loaders]
        config.write_text('\n'.join(lines))
        work_dir = tmp_path / 'work'
        flags = ['--work-dir', str(work_dir), '--cfg-options', *options]
        monkeypatch.setattr(sys, 'argv', ['train.py', str(config), *flags])
        with pytest.raises(DuGIError) as caught:
            runpy.run_path(str(ROOT / 'tools' / 'train.py'))['main']()
        assert not list(work_dir.rglob('*.pth')), 'it was trained'
        assert '\n' not in str(caught.value)
        return str(caught.value)

    return start


@pytest.fixture
def own_set(tmp_path) -> Path:
    """Three images with boxes and label maps, where the configs expect them."""
    root = toys.write_coco(tmp_path / 'my_set', ['person', 'car'])
    for i in range(3):
        toys.write_image(root / f'labels/{i}.png', toys.noise(96, 128) % 2)
    for split in ('train', 'val', 'test'):
        (root / f'{split}.txt').write_text('0\n1\n2\n')
    return root


def halve(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ('name', 'spoil', 'options', 'parts'),
    [
        (
            DETECTION,
            None,
            [f"{CLASSES}=('persn',)"],
            ("class 'persn'", 'train.json', "did you mean 'person'", 'metainfo.class'),
        ),
        (
            DETECTION,
            lambda root: (root / 'images/1.png').unlink(),
            [],
            ('images/1.png', 'train.json', '1 of 3 are missing', 'copy it there'),
        ),
        (
            DETECTION,
            lambda root: halve(root / 'annotations/val.json'),
            [],
            ('annotations/val.json is damaged JSON', 'copy it again'),
        ),
        (
            DETECTION,
            None,
            [f'{DATA}.filter_cfg.min_size=9999'],
            ("filter_cfg={'min_size': 9999} leaves none of the 3", 'loosen it'),
        ),
        (
            SEGMENTATION,
            lambda root: halve(root / 'labels/0.png'),
            [],
            ('labels/0.png is damaged', 'copy it again'),
        ),
        (
            SEGMENTATION,
            None,
            [f'{DATA}.type=MSRSDataset', f"{CLASSES}=('persn',)"],
            ("'persn'", 'is not a subset of', "'person'"),
        ),
    ],
)
def test_damaged_sets(train, own_set, name, spoil, options, parts):
    """Each fault ends the run before training, with file or key and remedy."""
    if spoil:
        spoil(own_set)
    message = train(name, SCRATCH, *options)
    for part in parts:
        assert part in message


@pytest.fixture(scope='module')
def base_encoder(tmp_path_factory) -> Path:
    """A pre-training checkpoint of the base encoder, all zeros in half precision."""
    with torch.device('meta'):
        shapes = MaskedConvViT('base').state_dict()
    state = {f'backbone.{k}': torch.zeros(v.shape).half() for k, v in shapes.items()}
    path = tmp_path_factory.mktemp('base') / 'base.pth'
    torch.save(dict(state_dict=state), path)
    return path


@pytest.mark.filterwarnings('ignore:.*non-meta parameter')
@pytest.mark.parametrize('name', MODELS)
def test_encoder_of_another_arch(train, own_set, base_encoder, name):
    """A base encoder's file in a tiny model: file, tensor, shapes and remedy.

    It is refused for its arch alone: a base encoder takes every tensor.
    """
    message = train(name, f'model.backbone.init_cfg.checkpoint={base_encoder}')
    assert f'{base_encoder} does not fit ConvViT: it has pos_embed (' in message
    assert message.endswith('wrong arch: use the one that the file was trained with')
    with torch.device('meta'):
        model = ConvViT('base')
    DuGIPretrained(str(base_encoder))(model)
