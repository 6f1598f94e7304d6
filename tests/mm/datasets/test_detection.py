"""Infrared detection sets: classes by name, images without boxes kept, clear errors."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path

import pytest

pytest.importorskip('mmdet', reason='the detection sets need mmdetection')

import torch
from mmdet.registry import DATASETS, METRICS, TRANSFORMS
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.fileio.backends.registry_utils import backends
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from toys import noise, write_image

import dugi_mae.mm.datasets.detection
import dugi_mae.mm.metrics.infrared_coco_metric
import dugi_mae.mmdet
from dugi_mae.annotations import classes as public
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets.detection import InfraredCocoDataset

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / 'configs' / '_base_' / 'datasets'
#: The order of a file that somebody else made, with gaps and a 0 in the numbers.
CATEGORIES = {7: 'Truck', 0: 'Car', 3: 'People'}
COCO = dict(
    images=[
        dict(id=5, file_name='day/a.png', width=64, height=48),
        dict(id=0, file_name='b.png', width=64, height=48),
        dict(id=9, file_name='c.png', width=64, height=48),
    ],
    annotations=[
        dict(id=0, image_id=5, category_id=3, bbox=[4, 4, 20, 20]),
        dict(id=1, image_id=5, category_id=7, bbox=[30, 10, 16, 20]),
        dict(id=2, image_id=9, category_id=0, bbox=[8, 8, 24, 16]),
    ],
    categories=[dict(id=number, name=name) for number, name in CATEGORIES.items()],
)


#: Base config and the classes of its set, as they stand in the released files.
SETS = {
    'infrared-coco': tuple(CATEGORIES.values()),
    'hit-uav': public.HIT_UAV,
    'm3fd-inf': public.M3FD,
    'llvip': public.LLVIP,
    'flir-aligned': public.FLIR,
}


@pytest.fixture(autouse=True)
def mmdet_scope() -> None:
    init_default_scope('mmdet')


@pytest.fixture
def coco() -> dict:
    return copy.deepcopy(COCO)


def write(root: Path, coco: dict, split: str = 'train') -> Path:
    """Write an annotation file and its images; gives the file."""
    for image in coco['images']:
        path = root / 'images' / image['file_name']
        write_image(path, noise(image['height'], image['width']))
    path = root / 'annotations' / f'{split}.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(coco))
    return path


def build(root: Path, **kwargs):
    """Build a data set as a config would."""
    settings = dict(
        type='InfraredCocoDataset',
        data_root=str(root),
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/'),
        pipeline=[],
    )
    return DATASETS.build(settings | kwargs)


def objects(dataset) -> list[list[tuple]]:
    """Class name and box of every object, image by image."""
    names = dataset.metainfo['classes']
    return [
        [(names[o['bbox_label']], *o['bbox']) for o in dataset[i]['instances']]
        for i in range(len(dataset))
    ]


def test_classes_of_the_file(tmp_path, coco):
    """Without metainfo the file's own names are the classes; empty images stay."""
    write(tmp_path, coco)
    dataset = build(tmp_path)
    assert dataset.metainfo['classes'] == ('Truck', 'Car', 'People')
    assert [Path(dataset[i]['img_path']).name for i in range(3)] == [
        *('a.png', 'b.png', 'c.png')
    ]
    assert objects(dataset) == [
        [('People', 4, 4, 24, 24), ('Truck', 30, 10, 46, 30)],
        [],
        [('Car', 8, 8, 32, 24)],
    ]
    assert 'classes' not in InfraredCocoDataset.METAINFO


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('classes', [('People', 'Truck', 'Car'), ['Car', 'People']])
def test_labels_follow_names(tmp_path, coco, classes, test_mode):
    """The order in the file makes no difference; classes left out leave images."""
    write(tmp_path, coco)
    dataset = build(tmp_path, metainfo=dict(classes=classes), test_mode=test_mode)
    assert dataset.cat_ids == list(range(1, len(classes) + 1))
    expected = [{'People', 'Truck'} & set(classes), set(), {'Car'} & set(classes)]
    assert [{name for name, *_ in o} for o in objects(dataset)] == expected


def test_filter_is_the_users_choice(tmp_path, coco):
    """Images without boxes go only when asked."""
    write(tmp_path, coco)
    assert len(build(tmp_path)) == 3
    assert len(build(tmp_path, filter_cfg=dict(filter_empty_gt=True))) == 2
    dataset = build(
        tmp_path,
        metainfo=dict(classes=('Car',)),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
    )
    assert len(dataset) == 1
    with pytest.raises(DuGIError, match="{'min_size': 99} leaves none of the 3"):
        build(tmp_path, filter_cfg=dict(min_size=99))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            dict(data_root='/gone'),
            "/gone/annotations/train.json' does not exist: .*convert_dataset.py$",
        ),
        (dict(ann_file=''), "annotation file '' does not exist"),
        (
            dict(metainfo=dict(classes=('people',))),
            "'people' is not in .*mean 'People'",
        ),
        (dict(metainfo=dict(classes='Car')), "is no list of names: write .*'Car',"),
        (
            dict(metainfo=dict(classes=['Car', 'Car'])),
            "classes has 'Car' 2 times: give",
        ),
        (dict(data_prefix=dict(img='pictures/')), r'pictures/day/a.png .*\(3 of 3 are'),
    ],
)
def test_bad_settings(tmp_path, coco, kwargs, message):
    """Each wrong setting is one line that names the file and the remedy."""
    write(tmp_path, coco)
    with pytest.raises(DuGIError, match=message) as error:
        build(kwargs.pop('data_root', tmp_path), **kwargs)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('classes', [None, ('Car',)])
def test_training_needs_a_box(tmp_path, coco, classes):
    """Without any box, or any of the classes wanted, a set serves tests alone."""
    coco['annotations'] = coco['annotations'][: 2 if classes else 0]
    write(tmp_path, coco)
    metainfo = dict(classes=classes) if classes else {}
    assert len(build(tmp_path, metainfo=metainfo, test_mode=True)) == 3
    with pytest.raises(DuGIError, match='train.json has no box of the classes .*Car'):
        build(tmp_path, metainfo=metainfo)


@pytest.mark.parametrize('with_mask', [False, True])
def test_masks_are_checked_where_they_are_used(tmp_path, coco, with_mask):
    """Run lengths of another size matter to a pipeline that loads masks alone."""
    for item in coco['annotations']:
        item['segmentation'] = dict(size=[48, 64], counts=[1, 48 * 64 - 1])
    coco['annotations'][1]['segmentation'] = dict(size=[2, 2], counts=[1, 3])
    write(tmp_path, coco)
    pipeline = [dict(type='LoadAnnotations', with_bbox=True, with_mask=with_mask)]
    if not with_mask:
        assert len(build(tmp_path, pipeline=pipeline)) == 3
        return
    with pytest.raises(DuGIError, match=r'\[1\] of .*train.json .*size \[2, 2\]'):
        build(tmp_path, pipeline=pipeline)


def perfect(dataset) -> list[dict]:
    """Predictions that equal the labels, as a metric gets them from a detector."""
    samples = []
    for i in range(len(dataset)):
        info = dataset[i]
        boxes = [o['bbox'] for o in info['instances']]
        instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor([o['bbox_label'] for o in info['instances']]).long(),
            scores=torch.ones(len(boxes)),
        )
        samples.append(
            dict(pred_instances=instances, img_id=info['img_id'], ori_shape=(48, 64))
        )
    return samples


def score(kind: str, dataset, path: Path | str, **kwargs) -> dict:
    """Score perfect predictions."""
    settings = dict(type=kind, ann_file=str(path), classwise=True)
    metric = METRICS.build(settings | kwargs)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, perfect(dataset))
    return metric.evaluate(len(dataset))


def test_metric_follows_names(tmp_path, coco, monkeypatch):
    """Perfect predictions score 1 in whatever order and numbers the file comes.

    mmdet's own metric does not manage that, hence the warning.
    """
    for item in coco['annotations']:  # which CocoMetric cannot do without
        item.update(area=item['bbox'][2] * item['bbox'][3], iscrowd=0)
    path = write(tmp_path, coco)
    messages = []
    monkeypatch.setattr(
        dugi_mae.mm.datasets.detection,
        'print_log',
        lambda text, **_: messages.append(text),
    )
    classes = ('People', 'Car', 'Truck')
    dataset = build(tmp_path, metainfo=dict(classes=classes), test_mode=True)
    scores = score('InfraredCocoMetric', dataset, path)
    wrong = score('CocoMetric', dataset, path)
    assert scores['coco/bbox_mAP'] == 1
    assert [scores[f'coco/{name}_precision'] for name in classes] == [1, 1, 1]
    assert wrong['coco/bbox_mAP'] < 0.5
    assert ['score with InfraredCocoMetric' in text for text in messages] == [True]


def test_metric_of_what_files_may_hold(tmp_path, coco):
    """Ids that are texts and crowds of null are scored."""
    for item in (*coco['images'], *coco['annotations']):
        key = 'id' if 'file_name' in item else 'image_id'
        item[key] = f'n{item[key]}'
    coco['annotations'][0]['iscrowd'] = None
    path = write(tmp_path, coco)
    scores = score('InfraredCocoMetric', build(tmp_path), path)
    assert scores['coco/bbox_mAP'] == 1


def test_files_of_other_programs(tmp_path, coco):
    """Ids that a table wrote as 1.0, and names as Windows writes them, are scored."""
    path = write(tmp_path, coco)
    for kind in ('images', 'annotations', 'categories'):
        for item in coco[kind]:
            item.update({k: float(item[k]) for k in item if k.endswith('id')})
    coco['images'][0]['file_name'] = 'day\\a.PNG'
    path.write_text(json.dumps(coco))
    dataset = build(tmp_path)
    assert dataset[0]['img_path'] == str(tmp_path / 'images' / 'day' / 'a.png')
    assert score('InfraredCocoMetric', dataset, path)['coco/bbox_mAP'] == 1


def test_metric_reads_where_the_data_set_does(tmp_path, coco, monkeypatch):
    """``backend_args`` of the metric find an annotation file that is not local."""
    path = write(tmp_path, coco)

    class Remote(LocalBackend):
        @contextlib.contextmanager
        def get_local_path(self, filepath):
            yield str(filepath).replace('afar://', f'{path.parent}/')

        def exists(self, filepath):
            return filepath == 'afar://train.json'

    monkeypatch.setitem(backends, 'afar', Remote)
    afar = dict(backend='afar')
    metric = score(
        'InfraredCocoMetric', build(tmp_path), 'afar://train.json', backend_args=afar
    )
    assert metric['coco/bbox_mAP'] == 1


def test_metric_of_masks_needs_them(tmp_path, coco):
    """``metric='segm'`` is refused where the file has no masks."""
    path = write(tmp_path, coco)
    with pytest.raises(DuGIError, match="no segmentation, which .* and metric='segm'"):
        score('InfraredCocoMetric', build(tmp_path), path, metric=['bbox', 'segm'])


def test_metric_names_a_bad_file(tmp_path, coco):
    """A missing file and a missing class are named."""
    path = write(tmp_path, coco)
    dataset = build(tmp_path, metainfo=dict(classes=('Car',)))
    with pytest.raises(DuGIError, match='x.json .*does not exist'):
        score('InfraredCocoMetric', dataset, tmp_path / 'x.json')
    path.write_text(json.dumps(dict(COCO, categories=COCO['categories'][::2])))
    path.write_text(path.read_text().replace('"category_id": 0', '"category_id": 7'))
    with pytest.raises(DuGIError, match="class 'Car' is not in .*'Truck', 'People'"):
        score('InfraredCocoMetric', dataset, path)


#: Boxes that mmdet drops in training and pycocotools scores, in images of 64x48; what
#: is left of them.
DIRTY = {
    'area 0': (dict(bbox=[4, 4, 20, 20], area=0), [4, 4, 24, 24]),
    'no width': (dict(bbox=[4, 4, 0, 20]), None),
    'negative width': (dict(bbox=[24, 4, -20, 20]), [4, 4, 24, 24]),
    'outside': (dict(bbox=[70, 4, 20, 20]), None),
    'cut': (dict(bbox=[54, 4, 40, 20]), [54, 4, 64, 24]),
    'half a pixel': (dict(bbox=[4, 4, 0.5, 20]), None),
    'ignored': (dict(bbox=[4, 4, 20, 20], ignore=1), [4, 4, 24, 24]),
}


@pytest.mark.parametrize(('change', 'box'), DIRTY.values(), ids=DIRTY)
def test_training_and_scoring_see_the_same(tmp_path, coco, monkeypatch, change, box):
    """No object vanishes from one and counts in the other; both report the same."""
    coco['annotations'][0] |= change
    path, messages = write(tmp_path, coco), []
    for module in ('datasets.detection', 'metrics.infrared_coco_metric'):
        name = f'dugi_mae.mm.{module}.print_log'
        monkeypatch.setattr(name, lambda text, *_, **__: messages.append(text))
    dataset = build(tmp_path)
    expected = [] if box is None else [('People', *box)]
    assert objects(dataset)[0] == [*expected, ('Truck', 30, 10, 46, 30)]
    ignored = [o['ignore_flag'] for o in dataset[0]['instances']]
    assert ignored == ['ignore' in change] * (box is not None) + [0]
    scores = score('InfraredCocoMetric', dataset, path)
    assert scores['coco/bbox_mAP'] == 1
    reported = 'area' not in change  # nothing is lost with it
    assert messages == messages[:1] * 2 * reported
    assert len(messages) == 2 * reported


@pytest.mark.parametrize('stated', [(48, 40), (48, 64), (999, 999)])
def test_the_images_size_counts(tmp_path, coco, stated):
    """Boxes beyond a wrong border are trained on and scored (mmdetection#5536)."""
    path = write(tmp_path, coco)
    for image in coco['images']:
        image['width'], image['height'] = stated
    coco['annotations'][0]['bbox'] = [50, 4, 30, 20]
    path.write_text(json.dumps(coco))
    dataset = build(tmp_path)
    assert objects(dataset)[0][0] == ('People', 50, 4, 64, 24)
    info = dataset.get_data_info(0)
    assert (info['width'], info['height']) == (64, 48)
    assert score('InfraredCocoMetric', dataset, path)['coco/bbox_mAP'] == 1


@pytest.mark.parametrize(
    'change', [dict(bbox=[70, 4, 20, 20]), dict(bbox=[4, 4, 9, 0]), dict(iscrowd=1)]
)
def test_boxes_that_cannot_be_trained_on_are_none(tmp_path, coco, change):
    """Boxes are missed after some are left out, and what was left out is said."""
    coco['annotations'] = [item | change for item in coco['annotations']]
    write(tmp_path, coco)
    reason = 'it lists none' if 'iscrowd' in change else 'left out: 3'
    with pytest.raises(DuGIError, match=f'has no box of the classes .*{reason}'):
        build(tmp_path)


def test_degenerate_polygons_in_scoring(tmp_path, coco):
    """They are left out with a count; pycocotools would end after all predictions."""
    square = [4, 4, 24, 4, 24, 24, 4, 24]
    for item, mask in zip(
        coco['annotations'], ([[], square], [[3, 3]], [square]), strict=True
    ):
        item['segmentation'] = mask
    path = write(tmp_path, coco)
    pipeline = [dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]
    dataset = build(tmp_path, pipeline=pipeline)
    masks = [
        [o['mask'] for o in dataset.get_data_info(i)['instances']] for i in range(3)
    ]
    assert masks == [[[square]], [], [[square]]]
    metric = METRICS.build(
        dict(type='InfraredCocoMetric', ann_file=str(path), metric=['bbox', 'segm'])
    )
    metric.dataset_meta = dataset.metainfo
    dataset.pipeline.transforms.clear()
    samples = perfect(dataset)
    for sample in samples:
        number = len(sample['pred_instances'])
        mask = torch.zeros(number, 48, 64, dtype=torch.bool)
        mask[:, 4:24, 4:24] = True
        sample['pred_instances'].masks = mask
    metric.process({}, samples)
    scores = metric.evaluate(len(dataset))
    assert scores['coco/segm_mAP'] == scores['coco/bbox_mAP'] == 1


@pytest.mark.parametrize(('name', 'classes'), SETS.items())
def test_base_configs(name, classes, tmp_path, monkeypatch):
    """Every loader finds its set below DUGI_COCO with its classes; pipelines run."""
    monkeypatch.setenv('DUGI_COCO', str(tmp_path))
    config = Config.fromfile(CONFIGS / f'{name}_detection.py')
    root = Path(config.train_dataloader.dataset.data_root)
    assert root.parent == tmp_path
    coco = dict(
        COCO,
        categories=[dict(id=i, name=c) for i, c in enumerate(classes)],
        annotations=[dict(item, category_id=0) for item in COCO['annotations']],
    )
    for split in ('train', 'val', 'test'):
        write(root, coco, split)
    for part in ('train', 'val', 'test'):
        loader = config[f'{part}_dataloader']
        dataset = DATASETS.build(loader.dataset)
        assert dataset.metainfo['classes'] == classes
        assert len(dataset) == 3
        sample = dataset[0]
        assert sample['inputs'].shape[0] == 3
        assert len(sample['data_samples'].gt_instances) == 2
        if part != 'train':
            evaluator = config[f'{part}_evaluator']
            assert evaluator.type == 'InfraredCocoMetric'
            assert evaluator.ann_file == f'{root}/{loader.dataset.ann_file}'
    transforms = [TRANSFORMS.build(step) for step in config.tta_pipeline]
    results = dict(dataset.get_data_info(0))
    for transform in transforms:
        results = transform(results)
    assert len(results['inputs']) == 4
