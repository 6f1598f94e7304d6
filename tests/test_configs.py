"""What all configs have in common; one of each family trains and is scored.

That every config builds and runs at full size is tested in ``test_devices.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from dugi_mae.annotations.classes import HIT_UAV, M3FD
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.models.backbones import ARCHS

pytest.importorskip('mmdet', reason='a third of the configs are detectors')
pytest.importorskip('mmseg', reason='another third are segmentors')

import mmdet

import dugi_mae.mmdet
import dugi_mae.mmseg  # noqa: F401  register the data sets

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LEAVES = sorted(
    path.relative_to(CONFIGS).with_suffix('').as_posix()
    for path in CONFIGS.glob('*/*.py')
    if path.parent.name not in ('_base_', 'demo')
)
DOWNSTREAM = [name for name in LEAVES if not name.startswith('pretrain/')]
SPLITS = ('train', 'val', 'test')
INFRARED = dict(backend='infrared')
RECIPE = '4xb96-coslr-400e_inf590k'
#: Pairs of the paper's Tables 5 and 6, and the field in which they differ.
TABLES = [
    (f'dugi-mae_convvit-base_{RECIPE}', f'dugi-mae_convvit-base-{other}_{RECIPE}')
    + ('masking',)
    for other in ('random', 'grey-value')
] + [
    (f'{name}_{rest}', f'{name}-ddg_{rest}', 'guidance')
    for name, rest in (
        ('mae', f'vit-base_{RECIPE}'),
        ('mcmae', f'convvit-base_{RECIPE}'),
        ('infmae', f'convvit-base_{RECIPE.replace("96", "64")}'),
    )
]
#: One config of each family, and what it is scored by.
FAMILIES = {
    'pretrain/dugi-mae_convvit-tiny_infrared-unlabeled': 'reconstruction/masked_mse',
    f'pretrain/mae-ddg_vit-base_{RECIPE}': None,
    'detection/faster-rcnn_dugi-mae-tiny_fpn_hit-uav': 'coco/bbox_mAP',
    'detection/faster-rcnn_mae-vit-base_fpn_m3fd-inf': 'coco/bbox_mAP',
    'detection/cascade-rcnn_dugi-mae-base_fpn_m3fd-inf': 'coco/bbox_mAP',
    'detection/mask-rcnn_dugi-mae-tiny_fpn_infrared-coco': 'coco/segm_mAP',
    'segmentation/fcn_dugi-mae-base_msrs': 'mIoU',
    'segmentation/upernet_dugi-mae-tiny_custom': 'mIoU',
    'small_target/irstd-nano_sirst': 'small_target/IoU',
    'small_target/irstd_dugi-mae-tiny_sirst': 'small_target/IoU',
}


def load(name: str) -> Config:
    """A leaf by its name."""
    return Config.fromfile(CONFIGS / f'{name}.py')


def classes_of(config: Config) -> int:
    """Number of classes that the data of a config have; toys of your own have two."""
    data = config.train_dataloader.dataset
    data = data.get('datasets', [data])[0]
    kind = f'{config.default_scope}.{data.type}'
    named = data.get('metainfo') or DATASETS.get(kind).METAINFO
    return len(named.get('classes', 'ab'))


def heads_of(config: Config) -> list[dict]:
    """All heads of a config that tell classes apart."""
    model = config.model
    names = ('bbox_head', 'mask_head', 'decode_head', 'auxiliary_head')
    heads = []
    for name in names:
        head = model.get('roi_head', model).get(name)
        heads += head if isinstance(head, list) else [head] if head else []
    return heads


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """A toy of every set that a family trains on, where its config looks for it."""
    root = tmp_path_factory.mktemp('data')
    scenes = write_dataset(root / 'scenes', num_images=12, height=96, width=128, seed=3)
    scenes.labelled.rename(root / 'sirst')
    scenes.unlabeled.rename(root / 'infrared_unlabeled')
    folders = [(f'msrs/{s}/ir', f'msrs/{s}/Segmentation_labels') for s in SPLITS[::2]]
    for images, labels in [*folders, ('my_set/images', 'my_set/labels')]:
        toys.write_images(root / images, 2, height=96, width=128)
        for i in range(2):
            toys.write_image(root / f'{labels}/{i}.png', toys.noise(96, 128) % 3)
    for split in SPLITS:
        (root / f'my_set/{split}.txt').write_text('0\n1\n')
    for name, classes in dict(hit_uav=HIT_UAV, m3fd=M3FD, my_set='ab').items():
        toys.write_coco(root / 'coco' / name, classes)
    return root


@pytest.fixture
def use_data(data, monkeypatch) -> None:
    """Let the configs that are read find the toys."""
    monkeypatch.setenv('DUGI_DATA', str(data))
    monkeypatch.setenv('DUGI_COCO', str(data / 'coco'))


def shrink(config: Config, data: Path, work_dir: Path) -> None:
    """Toy widths and two steps in this process; types and everything else stay."""
    model = config.model
    widths = toys.shrink_backbone(model) if 'backbone' in model else {}
    if config.default_scope == 'mmpretrain':
        model.neck.update(decoder_embed_dims=16, decoder_num_heads=2)
    elif config.default_scope == 'mmdet':
        toys.shrink(model.neck, widths)
        for part in ('rpn_head', 'roi_head'):
            toys.shrink(model[part], {})  # behind the neck all are 16 wide
        # Every level has anchors inside the image.
        model.rpn_head.anchor_generator.scales = [2]
        model.test_cfg.rpn.max_per_img = 20
        model.train_cfg.rpn_proposal.max_per_img = 50
    else:
        toys.shrink(model.get('neck'), widths)
        for head in heads_of(config):
            toys.shrink(head, widths)
            if head.type == 'IRSTDHead':
                head.widths = (4, 4, 4, 8, 8)
            else:
                head.channels = 8
        for step in config.train_dataloader.dataset.pipeline:
            if step.type == 'RandomResize':
                step.scale = (128, 96)
            elif step.type == 'RandomCrop':
                step.crop_size = model.data_preprocessor.size = (96, 128)
    for split in SPLITS:
        loader = config.get(f'{split}_dataloader')
        if loader:
            loader.update(num_workers=0, persistent_workers=False, batch_size=2)
            for step in loader.dataset.pipeline:
                if 'scale' in step and config.default_scope == 'mmdet':
                    step.scale = (256, 192)
            if loader.dataset.get('val_fraction'):
                loader.dataset.val_fraction = 0.4  # a twentieth of a handful is none
    if 'Inf-590K' in str(config.train_dataloader.dataset.data_root):
        config.train_dataloader.dataset.data_root = str(data / 'infrared_unlabeled')
    config.train_dataloader.sampler = dict(type='InfiniteSampler')
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.param_scheduler = None  # a first step of warm-up moves too little
    config.default_hooks.checkpoint.pop('save_best', None)
    config.default_hooks.checkpoint.by_epoch = False
    config.work_dir = str(work_dir)


def test_channels_are_those_of_the_encoder():
    """The one place that necks and heads take their ``in_channels`` from."""
    channels = load('_base_/models/convvit').channels
    assert set(channels) == set(ARCHS)
    for arch, (dims, *_) in ARCHS.items():
        assert channels[arch] == [*dims, dims[-1]]


@pytest.mark.parametrize(('name', 'other', 'field'), TABLES)
def test_rows_of_the_papers_tables_differ_in_one_field(name, other, field):
    """Tables 5 and 6 compare nothing but the masking, and nothing but the guidance."""
    one, two = (load(f'pretrain/{n}') for n in (name, other))
    assert one.model[field] != two.model[field]
    one.model[field] = two.model[field]
    assert one.to_dict() == two.to_dict()


@pytest.mark.parametrize('name', DOWNSTREAM)
def test_downstream_config(name):
    """Infrared reader, an encoder to load, classes of the data, padding by the mean."""
    config = load(name)
    pipelines = [config[f'{split}_dataloader'] for split in SPLITS]
    sets = [loader.dataset for loader in pipelines if loader]
    sets = [part for data in sets for part in data.get('datasets', [data])]
    pipelines = [data.pipeline for data in sets]
    for pipeline in [*pipelines, *filter(None, [config.get('tta_pipeline')])]:
        assert pipeline[0].type == 'LoadImageFromFile'
        assert pipeline[0].backend_args == INFRARED
    assert config.default_hooks.visualization.backend_args == INFRARED
    assert len(config.custom_imports.imports) == 1
    if 'nano' not in name:
        assert config.model.backbone.init_cfg.type == 'DuGIPretrained'
    classes = {head.get('num_classes', 2) for head in heads_of(config)}
    assert classes == {classes_of(config)}
    # Hosts pad after normalizing: a grey value there would be 100 deviations away.
    preprocessor = config.model.data_preprocessor
    assert preprocessor.mean in ([108.375] * 3, [108.375])
    assert preprocessor.get('pad_val', 0) == preprocessor.get('pad_value', 0) == 0


def test_cascade_heads_are_mmdets():
    """All but the number of classes."""
    root = Path(mmdet.__file__).parent / '.mim/configs/_base_/models'
    stock = Config.fromfile(root / 'cascade-rcnn_r50_fpn.py')
    ours = load('detection/cascade-rcnn_dugi-mae-base_fpn_m3fd-inf')
    for head, own in zip(heads_of(stock), heads_of(ours), strict=True):
        own = json.loads(json.dumps(own).replace('"_scope_": "mmdet", ', ''))
        assert own == head.to_dict() | dict(num_classes=6)


@pytest.mark.parametrize('name', FAMILIES)
def test_family_trains_and_is_scored(name, use_data, data, tmp_path):
    """Two steps move every parameter that is trained; then its metric is computed."""
    config = load(name)
    shrink(config, data, tmp_path)
    runner = Runner.from_cfg(config)
    runner.model.init_weights()  # drawing weights must not count as training them
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2
    after = dict(runner.model.named_parameters())
    moved = {k for k, v in before.items() if not torch.equal(v, after[k])}
    trained = {k for k, v in after.items() if v.requires_grad}
    assert moved == trained
    assert all(v.isfinite().all() for v in after.values())
    if FAMILIES[name]:
        assert FAMILIES[name] in runner.test()


@pytest.mark.parametrize(
    ('name', 'key', 'value'),
    [
        ('pretrain/dugi-mae_convvit-tiny_infrared-unlabeled', 'channels', 1),
        ('detection/faster-rcnn_dugi-mae-tiny_fpn_infrared-coco',)
        + ('color_type', 'grayscale'),
        ('segmentation/upernet_dugi-mae-base_msrs', 'color_type', 'grayscale'),
    ],
)
def test_one_channel(name, key, value, use_data):
    """One argument of the reader is all that a one-channel model asks of the data."""
    config = load(name)
    settings = config.train_dataloader.dataset
    settings.pipeline[0][key] = value
    with DefaultScope.overwrite_default_scope(config.default_scope):
        dataset = DATASETS.build(settings)
    assert {len(dataset[i % 2]['inputs']) for i in range(8)} == {1}
