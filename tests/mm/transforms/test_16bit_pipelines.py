"""Real 16-bit images keep their grey levels on the way to the model."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='a detection config is tested')
pytest.importorskip('mmseg', reason='segmentation configs are tested')

from mmengine.config import Config
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope

import dugi_mae.mmdet
import dugi_mae.mmseg  # noqa: F401
from dugi_mae.images import load_infrared

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
#: File -> levels that must be left, and all that ``cv2.imread`` and mmcv's loader with
#: its default decoder leave of 330 and 61 counts.
FILES = {
    'flir_radiometric.tiff': (200, (26, 27)),
    'arctic_therm_16bit.png': (50, (199, 200, 201, 202, 203, 204)),
}
#: Config -> images in a training batch.
PIPELINES = {
    'detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco': 1,
    'segmentation/upernet_dugi-mae-tiny_custom': 4,
    'small_target/irstd_dugi-mae-tiny_sirst': 16,
    'pretrain/dugi-mae_convvit-tiny_infrared-unlabeled': 4,
}
#: What lets a pipeline show the whole scene at its own scale.
NATIVE = dict(
    RandomResize=dict(ratio_range=(1.0, 1.0)),
    RandomCrop=dict(crop_size=(512, 640)),
    SmallTargetCrop=dict(crop_size=(512, 640), max_zoom=1.0),
    RandomResizedCrop=dict(scale=(512, 640), crop_ratio_range=(1.0, 1.0)),
    ResizeEdge=dict(scale=512),
    CenterCrop=dict(crop_size=(640, 512)),
)
CHANGING = ('PhotoMetricDistortion', 'InfraredBrightnessContrast')
pytestmark = pytest.mark.real_data


@pytest.fixture(params=FILES)
def radiometric(request, data_root, tmp_path, monkeypatch) -> Path:
    """One of the files, as the only image of every set that the configs read."""
    source = data_root / 'radiometric16' / request.param
    monkeypatch.setenv('DUGI_DATA', str(tmp_path))
    monkeypatch.setenv('DUGI_COCO', str(tmp_path))
    for folder in ('my_set/images', 'sirst/images', 'infrared_unlabeled'):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / source.name).symlink_to(source)
    mask = np.zeros((512, 640), np.uint8)
    mask[200:204, 300:305] = mask[60:63, 500:503] = 1
    for folder in ('my_set/labels', 'sirst/masks'):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / f'{source.stem}.png'), mask)
    coco = dict(
        images=[dict(id=1, file_name=source.name, width=640, height=512)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[90, 80, 50, 60])],
        categories=[dict(id=1, name='a'), dict(id=2, name='b')],
    )
    for folder in ('my_set/annotations', 'sirst/idx_427'):
        (tmp_path / folder).mkdir()
    for split in ('train', 'val', 'test'):
        path = tmp_path / 'my_set/annotations' / f'{split}.json'
        path.write_text(json.dumps(coco))
        for folder in ('my_set', 'sirst/idx_427'):
            (tmp_path / folder / f'{split}.txt').write_text(source.stem)
    (tmp_path / 'sirst/idx_427/trainval.txt').write_text(source.stem)
    return source


def keep_levels(pipeline: list) -> list:
    """The same pipeline without what makes or loses grey levels of its own.

    The whole scene is seen at its own scale, and brightness does not change it.
    """
    kept = []
    for step in pipeline:
        if isinstance(step, list):
            kept.append(keep_levels(step))
        elif step['type'] not in CHANGING:
            step = step | NATIVE.get(step['type'], {})
            if 'scale_factor' in step:
                step['scale_factor'] = 1.0
            if 'transforms' in step:
                step['transforms'] = keep_levels(step['transforms'])
            kept.append(step)
    return kept


def levels_in_the_model(config: Config, part: str, pipeline: list, size: int) -> set:
    """Grey levels, in units of 8 bits, of a batch behind the data preprocessor.

    Padding is not counted; normalisation is undone.
    """
    settings = config[f'{part}_dataloader'].dataset.to_dict()
    for key in ('split', 'val_fraction'):  # one image cannot be divided
        settings.pop(key, None)
    preprocessor = config.model.data_preprocessor.to_dict()
    preprocessor.setdefault('type', 'SelfSupDataPreprocessor')
    scope = config.default_scope
    with DefaultScope.overwrite_default_scope(scope):
        data = DATASETS.build(settings | dict(pipeline=pipeline))
        preprocess = MODELS.build(preprocessor)
    collate = default_collate if scope == 'mmpretrain' else pseudo_collate
    batch = preprocess(
        collate([data[0] for _ in range(size)]), training=part == 'train'
    )
    images = batch['inputs']
    images = images[0] if isinstance(images, list) else images
    assert (images == images[:, :1]).all()
    found = set()
    for image, sample in zip(images, batch['data_samples'], strict=True):
        height, width = sample.img_shape[:2]
        grey = image[0, :height, :width] * 51 + 108.375
        found.update(torch.unique(grey.round()).int().tolist())
    return found


@pytest.mark.parametrize('part', ['train', 'test'])
@pytest.mark.parametrize('name', PIPELINES)
def test_levels_reach_the_model(radiometric, name, part):
    """More than 200 (TIFF) and 50 (PNG) levels of a file are in a batch for the model.

    Interpolation and brightness make levels that a file has not, and would hide their
    loss; crops show a part of the scene, with a part of its levels. So they are counted
    without these: every level of the loaded image, and no other, reaches the model. The
    naive loader in the same place leaves 2 (TIFF) and 6 (PNG) levels, or 1 through
    Pillow. The config's pipeline as it stands keeps as many where it shows the whole
    scene; where it crops, at least half of them are asked for in a batch (the TIFF has
    165 in the centre of pre-training's test image, 178 in four crops of 512 pixels with
    other brightness).
    """
    wanted, naive = FILES[radiometric.name]
    config = Config.fromfile(CONFIGS / f'{name}.py')
    pipeline = config[f'{part}_dataloader'].dataset.to_dict()['pipeline']
    plain = keep_levels(pipeline)
    loaded = set(np.unique(load_infrared(radiometric)).tolist())
    assert len(loaded) > wanted
    assert levels_in_the_model(config, part, plain, 1) == loaded
    for decoder, expected in (('cv2', naive), ('pillow', (255,))):
        plain[0] = dict(type='LoadImageFromFile', imdecode_backend=decoder)
        assert levels_in_the_model(config, part, plain, 1) == set(expected)

    size = PIPELINES[name] if part == 'train' else 1
    wanted //= 1 + ('Crop' in str(pipeline))
    assert len(levels_in_the_model(config, part, pipeline, size)) > wanted
