"""What a user sees who trains on a damaged set or from another encoder's file."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip('mmdet', reason='a detector is trained')
pytest.importorskip('mmseg', reason='a segmentor is trained')

import torch
from toys import noise, write_image

from dugi_mae.errors import DuGIError
from dugi_mae.mm.pretrained import DuGIPretrained
from dugi_mae.models import ConvViT, MaskedConvViT

ROOT = Path(__file__).resolve().parents[3]
LOADER = dict(num_workers=0, persistent_workers=False, batch_size=2)
#: Thin heads on the encoder of the config, which is not touched.
DETECTOR = dict(
    neck=dict(out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=16),
    ),
)
SEGMENTOR = dict(decode_head=dict(channels=8), auxiliary_head=dict(channels=8))
#: The tiny encoder from scratch: the heads are not what is tested.
SCRATCH = 'model.backbone.init_cfg=None'
CLASSES = 'train_dataloader.dataset.metainfo.classes'


@pytest.fixture
def train(tmp_path, monkeypatch) -> Callable[..., str]:
    """Start ``tools/train.py`` on a config; returns the one line that it ends with."""
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    monkeypatch.setenv('DUGI_COCO', str(tmp_path))

    def start(name: str, model: dict, *options: str) -> str:
        config = tmp_path / 'config.py'
        loaders = [f'{part}_dataloader = {LOADER}' for part in ('train', 'val', 'test')]
        lines = [f'_base_ = {str(ROOT / "configs" / name)!r}', f'model = {model}']
        config.write_text('\n'.join(lines + loaders))
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
    """Two images with boxes and label maps, in the layouts that the configs expect."""
    root = tmp_path / 'my_set'
    (root / 'annotations').mkdir(parents=True)
    for name in ('a.png', 'b.png'):
        write_image(root / 'images' / name, noise(64, 96))
        write_image(root / 'labels' / name, noise(64, 96) % 2)
    coco = dict(
        images=[
            dict(id=i, file_name=name, width=96, height=64)
            for i, name in enumerate(('a.png', 'b.png'))
        ],
        annotations=[dict(id=1, image_id=0, category_id=1, bbox=[9, 8, 30, 40])],
        categories=[dict(id=1, name='person'), dict(id=2, name='car')],
    )
    for split in ('train', 'val', 'test'):
        (root / 'annotations' / f'{split}.json').write_text(json.dumps(coco))
        (root / f'{split}.txt').write_text('a\nb\n')
    return root


def change(path: Path, **changes: list) -> None:
    """Replace lists of a COCO file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def halve(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def nothing(root: Path) -> None:
    """Leave the set as it is."""


@pytest.mark.parametrize(
    ('spoil', 'options', 'parts'),
    [
        (
            nothing,
            [f"{CLASSES}=('persn',)"],
            ("class 'persn'", 'train.json', "did you mean 'person'", 'metainfo.class'),
        ),
        (
            nothing,
            [f"{CLASSES}='person'"],
            ("metainfo.classes='person'", "write classes=('person',), with the comma"),
        ),
        (
            lambda root: (root / 'images/b.png').unlink(),
            [],
            ('images/b.png', 'train.json', '1 of 2 are missing', 'copy it there'),
        ),
        (
            lambda root: halve(root / 'annotations/train.json'),
            [],
            ('annotations/train.json is damaged JSON', 'copy it again'),
        ),
        (
            lambda root: halve(root / 'annotations/val.json'),
            [],
            ('annotations/val.json is damaged JSON', 'copy it again'),
        ),
        (
            lambda root: change(root / 'annotations/train.json', images=[]),
            [],
            ('train.json lists no image', 'write it again'),
        ),
        (
            lambda root: change(root / 'annotations/train.json', annotations=[]),
            [],
            ('annotations/train.json has no box of the classes', 'correct ann_file'),
        ),
        (
            lambda root: None,
            ['train_dataloader.dataset.filter_cfg.min_size=9999'],
            ("filter_cfg={'min_size': 9999} leaves none of the 2", 'loosen it'),
        ),
    ],
)
def test_detection(train, own_set, spoil, options, parts):
    """Each fault ends the run before training, with file or key and remedy."""
    spoil(own_set)
    name = 'detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py'
    message = train(name, DETECTOR, SCRATCH, *options)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ('spoil', 'options', 'parts'),
    [
        (
            lambda root: (root / 'images/b.png').unlink(),
            [],
            ('image b of', 'train.txt is not in', 'or remove it from the list'),
        ),
        (
            lambda root: (root / 'labels/b.png').unlink(),
            [],
            ('images/b.png has no label map', 'copy it there or correct data_prefix'),
        ),
        (
            lambda root: (root / 'train.txt').write_text('\n'),
            [],
            ('train.txt is empty', 'one image name per line'),
        ),
        (
            lambda root: halve(root / 'labels/a.png'),
            [],
            ('labels/a.png is damaged', 'copy it again'),
        ),
        (
            nothing,
            ['train_dataloader.dataset.type=MSRSDataset', f"{CLASSES}=('persn',)"],
            ("'persn'", 'is not a subset of', "'person'"),
        ),
    ],
)
def test_segmentation(train, own_set, spoil, options, parts):
    """The same for label maps."""
    spoil(own_set)
    name = 'segmentation/upernet_dugi-mae-tiny_custom.py'
    message = train(name, SEGMENTOR, SCRATCH, *options)
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


@pytest.mark.parametrize(
    ('name', 'model'),
    [
        ('detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco.py', DETECTOR),
        ('segmentation/upernet_dugi-mae-tiny_custom.py', SEGMENTOR),
    ],
)
def test_encoder_of_another_arch(train, own_set, base_encoder, name, model):
    """A base encoder's file in a tiny model: file, tensor, shapes and remedy."""
    message = train(name, model, f'model.backbone.init_cfg.checkpoint={base_encoder}')
    assert f'{base_encoder} does not fit ConvViT: it has pos_embed (' in message
    assert message.endswith('wrong arch: use the one that the file was trained with')


@pytest.mark.filterwarnings('ignore:.*non-meta parameter')
def test_the_file_is_good(base_encoder):
    """It is refused for its arch alone: a base encoder takes it, every tensor."""
    with torch.device('meta'):
        model = ConvViT('base')
    DuGIPretrained(str(base_encoder))(model)
