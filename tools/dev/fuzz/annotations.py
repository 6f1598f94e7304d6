"""Fuzz targets that read annotation files and split lists."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.registry import DefaultScope

from dugi_mae.converters import convert
from dugi_mae.mm.datasets.pretrain import InfraredPretrainDataset
from dugi_mae.mmdet import InfraredCocoDataset, InfraredCocoMetric
from dugi_mae.mmseg import LabelMapDataset, SIRSTDataset
from fuzz.edits import edit_bytes, edit_json, edit_xml
from fuzz.images import SIZE, encode, noise, read_all
from fuzz.trial import Trial

VOC = (
    '<annotation><filename>x</filename><size><width>48</width><height>40</height>'
    '<depth>3</depth></size><object><name>{0}</name><bndbox><xmin>1</xmin>'
    '<ymin>2</ymin><xmax>11</xmax><ymax>22</ymax></bndbox></object><object>'
    '<name>{1}</name><polygon><x1>3</x1><y1>3</y1><x2>9</x2><y2>3</y2><x3>9</x3>'
    '<y3>9</y3><x4>3</x4><y4>9</y4></polygon></object></annotation>'
)


def coco_content() -> dict:
    """A COCO file of two images and two classes."""
    boxes = ([1, 2, 10, 20], [5, 5, 4, 4], [3, 3, 30, 30])
    size, shape = dict(width=SIZE[0], height=SIZE[1]), [[1, 1, 9, 1, 9, 9]]
    return dict(
        info={},
        images=[dict(id=i, file_name=f'{"ab"[i]}.png', **size) for i in range(2)],
        categories=[dict(id=1, name='person'), dict(id=7, name='car')],
        annotations=[
            dict(id=i, image_id=i % 2, category_id=(1, 7)[i % 2], bbox=box)
            | dict(area=box[2] * box[3], iscrowd=0, segmentation=shape)
            for i, box in enumerate(boxes)
        ],
    )


def _damaged(trial: Trial, content: dict | str) -> bytes:
    """JSON of a dict or the text of an XML file, damaged."""
    is_json = isinstance(content, dict)
    if trial.rng.random() < 0.25:
        text = json.dumps(content) if is_json else content
        return trial.noted(edit_bytes(text.encode(), trial.rng))
    return trial.noted((edit_json if is_json else edit_xml)(content, trial.rng))


def _write_images(trial: Trial, folder: str, names: str) -> None:
    for name in names:
        image = noise(trial.rng, *SIZE[::-1])
        trial.write(f'set/{folder}/{name}.png', encode('png', image))


def _coco_dataset(trial: Trial, root: Path) -> None:
    _write_images(trial, 'images', 'ab')
    path = trial.write('set/a.json', _damaged(trial, coco_content()))
    masks = trial.rng.random() < 0.3
    classes = trial.rng.choice((None, dict(classes=('person', 'car'))))
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = InfraredCocoDataset(
            ann_file='a.json',
            data_root=str(root),
            data_prefix=dict(img='images'),
            metainfo=classes,
            pipeline=[
                dict(type='LoadInfraredImage'),
                dict(type='LoadAnnotations', with_bbox=True, with_mask=masks),
                dict(type='PackDetInputs'),
            ],
        )
        samples = read_all(dataset)
        metric = InfraredCocoMetric(str(path), metric='bbox')
        metric.dataset_meta = dataset.metainfo
        for sample in samples:
            data = sample['data_samples'].to_dict()
            truth = data['gt_instances']
            found = dict(bboxes=truth['bboxes'].tensor, labels=truth['labels'])
            found['scores'] = found['labels'] * 0.0 + 0.5
            metric.process({}, [dict(data, pred_instances=found)])
        metric.evaluate(len(samples))


def _m3fd(trial: Trial, root: Path) -> None:
    _write_images(trial, 'Ir', 'abcde')
    good = VOC.format('People', 'Car')
    for name in 'abcde':
        text = _damaged(trial, good) if name == 'c' else good.encode()
        trial.write(f'set/Annotation/{name}.xml', text)
    convert('m3fd', root, trial.folder / 'out')


def fuzz_annotation(trial: Trial) -> None:
    """Train on, score or convert a set with a damaged JSON or XML file."""
    read = trial.rng.choice((_coco_dataset, _coco_dataset, _m3fd))
    trial.notes.append(read.__name__[1:])
    trial.names.append("split '")  # what a converter calls a list that it makes
    read(trial, trial.folder / 'set')


def fuzz_split(trial: Trial) -> None:
    """List the images of a set with a damaged split list."""
    for folder in ('images', 'masks', 'labels'):
        _write_images(trial, folder, 'abcd')
    good = trial.rng.choice((b'a\nb\n', b'a.png\nb.png', b'images/a.png 1\n', b'a b\n'))
    path = trial.write('set/train.txt', trial.noted(edit_bytes(good, trial.rng)))
    kind = trial.rng.choice((SIRSTDataset, LabelMapDataset, InfraredPretrainDataset))
    trial.notes.append(kind.__name__)
    classes = dict(classes=[str(i) for i in range(256)])
    options = dict(metainfo=classes) if kind is LabelMapDataset else {}
    kind(str(path.parent), ann_file='train.txt', pipeline=[], **options)
