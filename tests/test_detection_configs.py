"""Every detection config loads, trains and predicts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

pytest.importorskip('mmdet')

from mmdet.registry import DATASETS

import dugi_mae.mmdet  # noqa: F401
from dugi_mae.models.backbones import resolve_arch

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(path.name for path in (ROOT / 'configs/detection').glob('*.py'))
TOY_ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
TOY_VIT = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)


def write_coco(folder: Path, classes: tuple[str, ...]) -> None:
    """Three noise images, the last one without boxes; ids as crooked as they come."""
    (folder / 'images').mkdir(parents=True)
    (folder / 'annotations').mkdir()
    rng = np.random.RandomState(0)
    images, annotations = [], []
    for i in range(3):
        name = f'{i}.png'
        cv2.imwrite(
            str(folder / 'images' / name),
            rng.randint(0, 256, (96, 128)).astype(np.uint8),
        )
        images.append(dict(id=7 * i, file_name=name, width=128, height=96))
        for k in range(2 * (i < 2)):
            x, y, w, h = 10 + 50 * k, 20, 30, 40
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=7 * i,
                    category_id=3 * (k % len(classes)),
                    bbox=[x, y, w, h],
                    area=w * h,
                    iscrowd=0,
                    segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]],
                )
            )
    categories = [dict(id=3 * i, name=name) for i, name in enumerate(classes)]
    content = dict(images=images, annotations=annotations, categories=categories)
    for split in ('train', 'val', 'test'):
        (folder / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def shrink_backbone(model: dict) -> dict[int, int]:
    """Give the encoder toy widths; what each full width has become."""
    backbone = model['backbone']
    backbone['init_cfg'] = None
    if 'VisionTransformer' in backbone['type']:
        backbone['arch'] = TOY_VIT
        return {768: 16}
    old = resolve_arch(backbone['arch']).embed_dims
    backbone['arch'] = TOY_ARCH
    return dict(zip(old, TOY_ARCH['embed_dims'], strict=True))


def shrink(node, widths: dict[int, int]) -> None:
    """Replace the widths of everything behind the encoder."""
    if isinstance(node, (list, tuple)):
        for item in node:
            shrink(item, widths)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ('in_channels', 'embed_dims'):
                many = isinstance(value, (list, tuple))
                values = [widths.get(v, 16) for v in (value if many else [value])]
                node[key] = values if many else values[0]
            elif key in ('out_channels', 'feat_channels', 'conv_out_channels'):
                node[key] = 16
            elif key == 'fc_out_channels':
                node[key] = 32
            else:
                shrink(value, widths)


@pytest.fixture(scope='module')
def make_data(tmp_path_factory):
    """The toy set of a data set class, made when first asked for."""
    folders = {}

    def make(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp(kind)
            classes = DATASETS.get(kind).METAINFO.get('classes', ('a', 'b'))
            write_coco(folders[kind] / 'set', classes)
        return folders[kind] / 'set'

    return make


@pytest.mark.parametrize('name', CONFIGS)
def test_config_trains_and_predicts(name, make_data, tmp_path):
    """One step on toy data, then one round of scoring, and every tensor has moved."""
    config = Config.fromfile(ROOT / 'configs/detection' / name)
    widths = shrink_backbone(config.model)
    shrink(config.model.neck, widths)
    for part in ('rpn_head', 'roi_head', 'bbox_head'):
        shrink(config.model.get(part), {})  # behind the neck all are 16 wide
    root = make_data(config.train_dataloader.dataset.type)
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.data_root = str(root)
    for split in ('val', 'test'):
        evaluator = config[f'{split}_evaluator']
        evaluator.ann_file = f'{root}/annotations/{Path(evaluator.ann_file).name}'
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.param_scheduler = None
    config.default_hooks.checkpoint.pop('save_best', None)
    config.work_dir = str(tmp_path)

    runner = Runner.from_cfg(config)
    runner.model.init_weights()  # drawing weights must not count as training them
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    after = dict(runner.model.named_parameters())
    still = {
        k for k, v in after.items() if v.requires_grad and torch.equal(v, before[k])
    }
    # RTMDet regresses on each level by itself, and not every level has a box here.
    alone = ('reg_convs', 'rtm_reg')
    assert not {k for k in still if not any(part in k for part in alone)}
    metrics = runner.test()
    assert 'coco/bbox_mAP' in metrics
    if 'mask' in name:
        assert 'coco/segm_mAP' in metrics


@pytest.mark.parametrize('name', CONFIGS)
def test_config_fits_its_data(name):
    """Heads have a class for each of the set, necks the encoder's widths."""
    config = Config.fromfile(ROOT / 'configs/detection' / name)
    model, kind = config.model, config.train_dataloader.dataset.type
    heads = model.get('roi_head', model)['bbox_head']
    heads = heads if isinstance(heads, list) else [heads]
    classes = DATASETS.get(kind).METAINFO.get('classes', ('a', 'b'))
    assert {head.num_classes for head in heads} == {len(classes)}
    assert model.data_preprocessor.mean == [108.375] * 3
    assert model.data_preprocessor.get('pad_value', 0) == 0
    if 'ConvViT' in model.backbone.type:
        dims = resolve_arch(model.backbone.arch).embed_dims
        maps = (*dims, dims[-1])
        indices = model.backbone.get('out_indices', range(4))
        assert list(model.neck.in_channels) == [maps[i] for i in indices]
