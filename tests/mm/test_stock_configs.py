"""Stock configs of the hosts pass through ``tools/train.py``, with our encoder, too."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from mmengine.registry import DefaultScope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

pytestmark = pytest.mark.slow

TRAIN = Path(__file__).resolve().parents[2] / 'tools' / 'train.py'
#: Of a stock config's model, what goes with the widths of our toy encoder.
FPN = dict(neck=dict(in_channels=list(toys.WIDTHS)))
HEAD = dict(decode_head=dict(in_channels=toys.WIDTHS))
UPERNET = HEAD | dict(auxiliary_head=dict(in_channels=toys.WIDTHS[2]))
WITHOUT_SEGMENTS = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
CLASSIFIER = dict(head=dict(in_channels=toys.WIDTHS[3]))
#: Host, path below its configs, and what of the model changes for ours; ``None`` where
#: the method has an encoder of its own.
STOCK = [
    ('mmdet', 'htc/htc_r50_fpn_1x_coco.py', FPN),
    ('mmdet', 'scnet/scnet_r50_fpn_1x_coco.py', FPN),
    ('mmdet', 'queryinst/queryinst_r50_fpn_1x_coco.py', FPN),
    ('mmdet', 'sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py', FPN),
    ('mmdet', 'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py', FPN),
    ('mmdet', 'rpn/rpn_r50_fpn_1x_coco.py', FPN),
    ('mmseg', 'upernet/upernet_r50_4xb4-80k_ade20k-512x512.py', UPERNET),
    ('mmseg', 'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py', HEAD),
    ('mmseg', 'mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py', HEAD),
    ('mmpretrain', 'swin_transformer/swin-tiny_16xb64_in1k.py', CLASSIFIER),
    ('mmpretrain', 'mff/mff_vit-base-p16_8xb512-amp-coslr-300e_in1k.py', None),
]


def write_coco(folder: Path) -> None:
    """One image with a box, an instance, a segment and a label map, for both splits."""
    for split in ('train2017', 'val2017'):
        toys.write_image(folder / split / '1.jpg')
        for labels in ('stuffthingmaps', 'annotations/panoptic'):
            place = f'{labels}_{split}' if 'panoptic' in labels else f'{labels}/{split}'
            toys.write_image(folder / place / '1.png', np.zeros((48, 64, 3), np.uint8))
        box = dict(id=1, category_id=1, bbox=[5, 5, 40, 30], area=1200, iscrowd=0)
        instance = dict(box, image_id=1, segmentation=[[5, 5, 45, 5, 45, 35, 5, 35]])
        segments = dict(image_id=1, file_name='1.png', segments_info=[box])
        kinds = dict(instances=instance, panoptic=segments)
        for kind, annotation in kinds.items():
            content = dict(
                images=[dict(id=1, file_name='1.jpg', width=64, height=48)],
                categories=[dict(id=1, name='person', isthing=1)],
                annotations=[annotation],
            )
            path = folder / f'annotations/{kind}_{split}.json'
            path.write_text(json.dumps(content))


def write_ade(folder: Path) -> None:
    """One image with its label map for both splits."""
    for split in ('training', 'validation'):
        toys.write_image(folder / 'images' / split / '1.jpg')
        label = np.zeros((48, 64), np.uint8)
        toys.write_image(folder / 'annotations' / split / '1.png', label)


def write_imagenet(folder: Path) -> None:
    """One image of each of a thousand classes; a link spares their bytes."""
    image = toys.write_image(folder / 'image.jpg')
    for split in ('train', 'val'):
        for number in range(1000):
            place = folder / split / f'n{number:08}'
            place.mkdir(parents=True)
            (place / '1.jpg').symlink_to(image)


WRITERS = dict(mmdet=write_coco, mmseg=write_ade, mmpretrain=write_imagenet)


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Callable[[str], Path]:
    """Folder of toy data for a host."""
    folders: dict[str, Path] = {}

    def get(host: str) -> Path:
        if host not in folders:
            folders[host] = tmp_path_factory.mktemp(host)
            WRITERS[host](folders[host])
        return folders[host]

    return get


@pytest.fixture
def built(monkeypatch, tmp_path) -> Callable[..., Runner]:
    """Run ``tools/train.py`` up to the first iteration; returns its runner."""
    runners: list[Runner] = []
    # Random numbers for heads of full size take most of the time, and decide nothing.
    for name in ('uniform_', 'normal_'):
        monkeypatch.setattr(torch.Tensor, name, lambda self, *_, **__: self)
    for loop in (EpochBasedTrainLoop, IterBasedTrainLoop):
        monkeypatch.setattr(loop, 'run', lambda self: runners.append(self.runner))

    def run(config: str, *flags: str) -> Runner:
        path = tmp_path / 'stock.py'
        path.write_text(config)
        work_dir = str(tmp_path / 'run')
        argv = ['train.py', str(path), '--work-dir', work_dir, *flags]
        monkeypatch.setattr(sys, 'argv', argv)
        runpy.run_path(str(TRAIN))['main']()
        assert len(runners) == 1
        return runners[0]

    return run


@pytest.mark.parametrize('ours', [False, True], ids=['own', 'ours'])
@pytest.mark.parametrize(
    ('host', 'name', 'changes'), STOCK, ids=[name.split('/')[0] for _, name, _ in STOCK]
)
def test_stock_config(host, name, changes, ours, data, built):
    """Model, optimizer, schedule, data and hooks are built as the config has them."""
    spec = importlib.util.find_spec(host)
    if spec is None:
        pytest.skip(f'{host} is not installed')
    if ours and changes is None:
        pytest.skip('its encoder is part of the method')
    folder = data(host)
    backbone, model = dict(init_cfg=None), {}
    if ours:
        model = changes
        kind = 'ConvViT' if host == 'mmpretrain' else 'mmpretrain.ConvViT'
        maps = (3,) if host == 'mmpretrain' else (0, 1, 2, 3)
        backbone = dict(_delete_=True, type=kind, arch=toys.ARCH, out_indices=maps)
    if 'upernet' in name:
        model = model | dict(pretrained=None)  # there is no network
    loader = dict(num_workers=0, persistent_workers=False)
    train = loader | dict(dataset=dict(data_root=f'{folder}/'))
    config = dict(
        _base_=str(Path(spec.origin).parent / '.mim/configs' / name),
        model=dict(model, backbone=backbone),
        train_dataloader=train,
        val_dataloader=train,
        test_dataloader=train,
    )
    if ours:
        # The stock mask2former of mmseg imports the second.
        imports = [f'dugi_mae.{host}', *['mmdet.models'] * (host == 'mmseg')]
        config['custom_imports'] = dict(imports=imports)
    if host == 'mmdet':
        path = f'{folder}/annotations/instances_val2017.json'
        config['val_evaluator'] = dict(ann_file=path)
    flags = []
    if 'panoptic' in name:
        # panopticapi is not on PyPI: segments are neither read nor compared.
        config['train_dataloader']['dataset']['pipeline'] = WITHOUT_SEGMENTS
        flags = ['--no-validate']
        del config['val_dataloader'], config['val_evaluator']
    if 'mff' in name:  # nothing to validate; AMP needs a GPU
        optimizer = dict(type='AdamW', lr=1e-4)
        config['optim_wrapper'] = dict(_delete_=True, optimizer=optimizer)
        del config['val_dataloader'], config['test_dataloader']
    lines = [f'{key} = {value!r}' for key, value in config.items()]
    runner = built('\n'.join(lines), *flags)
    assert len(runner.train_dataloader.dataset) in (1, 1000)
    assert (type(runner.model.backbone).__name__ == 'ConvViT') == ours
    assert runner.optim_wrapper.optimizer.param_groups
    assert DefaultScope.get_current_instance().scope_name == host
