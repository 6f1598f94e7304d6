"""Sets with label maps of class numbers: any of them, MSRS, SODA and MFNet."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('mmseg', reason='the segmentation sets need mmsegmentation')

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, METRICS
from PIL import Image
from released_sets import mfnet, msrs, soda
from toys import write_image

import dugi_mae.mmseg  # noqa: F401  registers what pipelines name
from dugi_mae.converters import convert
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets.label_map import LabelMapDataset
from dugi_mae.mm.datasets.segmentation import MFNetDataset, MSRSDataset, SODADataset

#: Label values of MSRS: name and colour (RGB) as the authors' visualize.py has them.
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
TWO = dict(classes=('background', 'car'))
LOAD = [dict(type='LoadInfraredImage'), dict(type='LoadAnnotations')]


def stems(dataset: BaseSegDataset) -> list[str]:
    """Names of the images, in order."""
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert all(Path(sample['seg_map_path']).is_file() for sample in samples)
    return [Path(sample['img_path']).stem for sample in samples]


@pytest.fixture
def own_set(tmp_path) -> Path:
    """A set of one's own: images of any kind, some in a folder of their own."""
    labels = np.zeros((32, 40), np.uint8)
    labels[:, :8], labels[0] = 1, 255
    for name in ('a.png', 'scene one/b.2.jpg', 'scene one/c.bmp'):
        for folder, path in (('images', name), ('labels', Path(name).stem + '.png')):
            path = tmp_path / folder / Path(name).parent / Path(path).name
            write_image(path, labels if folder == 'labels' else labels + 60)
    return tmp_path


@pytest.mark.parametrize(
    ('listed', 'expected'),
    [
        ('', ['a', 'b.2', 'c']),
        ('scene one/b.2.jpg\n\na.png', ['b.2', 'a']),
        ('a labels/a.png 1\r\nc labels/c.png\n', ['a', 'c']),
    ],
)
def test_lists(own_set, listed, expected):
    """Names with or without folder, extension and further columns; none takes all."""
    if listed:
        (own_set / 'train.txt').write_text(listed)
    ann_file = 'train.txt' if listed else ''
    assert stems(LabelMapDataset(str(own_set), ann_file, metainfo=TWO)) == expected


def test_labels_are_class_numbers(own_set):
    """Labels come as they are stored, from palette PNG too; 255 stays ignored."""
    path = own_set / 'labels/a.png'
    palette = Image.open(path)
    palette.putpalette([9, 9, 9, 200, 0, 0] * 128)
    palette.save(path)
    assert Image.open(path).mode == 'P'
    init_default_scope('mmseg')
    dataset = LabelMapDataset(str(own_set), metainfo=TWO, pipeline=LOAD)
    for sample in dataset:
        labels = sample['gt_seg_map']
        assert labels.dtype == np.uint8
        assert np.bincount(labels.ravel())[[0, 1, 255]].tolist() == [
            31 * 32,
            31 * 8,
            40,
        ]
        assert sample['img'].shape == (32, 40, 3)
    assert len(dataset.metainfo['palette']) == 2


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(), 'metainfo.classes=None is no list of names: name the label values 0'),
        (dict(metainfo=dict(classes=['a', 'a'])), "metainfo.classes has 'a' 2 times"),
        (dict(metainfo=TWO, ann_file='empty.txt'), 'empty.txt is empty'),
        (dict(metainfo=TWO, ann_file='x.txt'), 'image x of .*x.txt is not in .*images'),
        (
            dict(metainfo=TWO, data_prefix=dict(img_path='ir', seg_map_path='labels')),
            'ir does not exist: correct',
        ),
        (
            dict(metainfo=TWO, data_prefix=dict(img='images')),
            "key of data_prefix='img'.*'img_path', 'seg_map",
        ),
        (
            dict(metainfo=TWO, seg_map_suffix='_ids.png'),
            'a.png has no label map .*a_ids.png',
        ),
        (dict(metainfo=TWO, data_root='nowhere'), 'folder nowhere does not exist'),
        (
            dict(metainfo=dict(classes=('a',))),
            'a.png has the value 1, but 1 classes .*correct the classes',
        ),
    ],
)
def test_bad_settings(own_set, settings, message):
    """What is wrong is said in one line, before anything is trained."""
    (own_set / 'empty.txt').write_text('\n \n')
    (own_set / 'x.txt').write_text('x\n')
    with pytest.raises(DuGIError, match=message) as caught:
        LabelMapDataset(**(dict(data_root=str(own_set)) | settings))
    assert '\n' not in str(caught.value)


def test_every_label_map_is_checked(own_set):
    """A later one is checked before its first use, and named."""
    path = own_set / 'labels/scene one/c.png'
    cv2.imwrite(str(path), np.full((32, 40), 7, np.uint8))
    init_default_scope('mmseg')
    dataset = LabelMapDataset(str(own_set), metainfo=TWO, pipeline=LOAD)
    assert dataset[0] and dataset[1]
    with pytest.raises(DuGIError, match=r'c\.png has the value 7, but 2 classes'):
        dataset[2]


def test_msrs_as_released(tmp_path):
    """Both parts are read from their folders, infrared alone."""
    root = msrs(tmp_path)
    train = MSRSDataset(str(root))
    prefix = dict(img_path='test/ir', seg_map_path='test/Segmentation_labels')
    test = MSRSDataset(str(root), data_prefix=prefix)
    assert stems(train) == ['00001D', '00002N', '00010D']
    assert stems(test) == ['00003D', '00004N']
    assert Path(train.get_data_info(0)['img_path']).parent == root / 'train' / 'ir'
    assert not train.metainfo['reduce_zero_label']
    meta = train.metainfo
    assert list(zip(meta['classes'], map(tuple, meta['palette']), strict=True)) == (
        OFFICIAL
    )


def test_score_is_over_nine_classes(repo_root):
    """The config's metric counts the background, and a class that is never right as 0.

    Predictions are the labels, but cars are called background.
    """
    config = Config.fromfile(repo_root / 'configs/_base_/datasets/msrs_480x640.py')
    assert not config.test_dataloader.dataset.get('reduce_zero_label', False)
    init_default_scope('mmseg')
    metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = MSRSDataset.METAINFO
    labels = torch.arange(9).repeat_interleave(2)[None].repeat(16, 1)
    predictions = labels.where(labels != 1, 0)
    parts = dict(pred_sem_seg=predictions, gt_sem_seg=labels)
    metric.process({}, [{key: dict(data=data[None]) for key, data in parts.items()}])
    scores = metric.evaluate(size=1)
    # IoU: background 2 of 4 columns, car none, the other seven all.
    assert scores['mIoU'] == pytest.approx(100 * (0.5 + 0 + 7) / 9, abs=0.01)
    assert scores['mAcc'] == pytest.approx(100 * 8 / 9, abs=0.01)


def test_classes_are_chosen_by_name(tmp_path):
    """Some of a set's classes, in any order: the others are ignored."""
    init_default_scope('mmseg')
    dataset = MSRSDataset(
        str(msrs(tmp_path)),
        metainfo=dict(classes=('person', 'unlabelled')),
        pipeline=LOAD,
    )
    values = np.unique(dataset[0]['gt_seg_map']).tolist()
    assert values == [0, 1, 255]
    assert (dataset[0]['gt_seg_map'] == 0).sum() == 48 * 3
    assert dataset.metainfo['palette'] == [[64, 64, 0], [0, 0, 0]]
    with pytest.raises(ValueError, match="'persons'.* not a subset of"):
        MSRSDataset(dataset.data_root, metainfo=dict(classes=('persons',)))


def test_soda_as_released(tmp_path):
    """The second column and second copies are dropped; 21 classes."""
    root = soda(tmp_path)
    dataset = SODADataset(str(root), 'train_infrared.txt')
    assert stems(dataset) == ['2.a', '1']
    assert stems(SODADataset(str(root), 'test_infrared.txt')) == ['3']
    classes = dataset.metainfo['classes']
    assert len(classes) == len(set(classes)) == len(dataset.metainfo['palette']) == 21
    assert (classes[0], classes[15], classes[20]) == (
        '_background_',
        'trash can',
        'sidewalk',
    )
    (root / 'train_infrared.txt').write_text('1(2) 3\n')
    with pytest.raises(DuGIError, match='has only second copies'):
        SODADataset(str(root), 'train_infrared.txt')


def test_mfnet_needs_its_converter(tmp_path):
    """Released files are refused, never read as colour with transparency."""
    root = mfnet(tmp_path)
    for data_prefix in ({}, dict(img_path='images')):
        with pytest.raises(DuGIError, match='convert_dataset.py mfnet SRC OUT`'):
            MFNetDataset(str(root), 'val.txt', data_prefix=data_prefix)


def test_mfnet_converted(tmp_path):
    """What the converter writes is read: thermal pixels and MSRS's classes."""
    root = mfnet(tmp_path)
    convert('mfnet', root, tmp_path / 'out')
    init_default_scope('mmseg')
    dataset = MFNetDataset(str(tmp_path / 'out'), 'splits/train.txt', pipeline=LOAD)
    assert stems(dataset) == ['00001D', '00002N']
    source = cv2.imread(str(root / 'images/00001D.png'), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(dataset[0]['img'], np.dstack([source[..., 3]] * 3))
    assert dataset.metainfo['classes'] == MSRSDataset.METAINFO['classes']


@pytest.mark.parametrize('name', ['soda', 'mfnet'])
def test_base_configs(tmp_path, monkeypatch, repo_root, name):
    """A base finds its set; training keeps crops grey, testing keeps the size.

    ``tests/test_configs.py`` trains those of MSRS and of a set of one's own.
    """
    monkeypatch.setenv('DUGI_DATA', str(tmp_path / 'data'))
    convert('mfnet', mfnet(tmp_path), tmp_path / 'data/mfnet')
    shutil.move(soda(tmp_path), tmp_path / 'data/soda')
    config = Config.fromfile(repo_root / f'configs/_base_/datasets/{name}_480x640.py')
    init_default_scope('mmseg')
    train, val, test = (
        DATASETS.build(config[f'{split}_dataloader'].dataset)
        for split in ('train', 'val', 'test')
    )
    num_classes = len(train.metainfo['classes'])
    seen = set()
    for _ in range(4):
        sample = train[0]
        image, labels = sample['inputs'], sample['data_samples'].gt_sem_seg.data
        assert (image == image[:1]).all()
        assert image.shape[1:] == labels.shape[1:]
        assert all(a <= b for a, b in zip(image.shape[1:], (480, 512), strict=True))
        assert set(labels.unique().tolist()) <= {*range(num_classes), 255}
        seen.add(float(image.float().mean()))
    assert len(seen) > 1
    for dataset in (val, test):
        sample = dataset[0]
        assert sample['inputs'].shape == (3, 48, 64)
        assert sample['data_samples'].gt_sem_seg.data.shape == (1, 48, 64)
    assert not {*stems(train)} & {*stems(test)}


def write_labels(root: Path, name: str, labels: np.ndarray) -> None:
    """An image with its label map."""
    write_image(root / f'images/{name}.png', np.full(labels.shape, 90, np.uint8))
    write_image(root / f'labels/{name}.png', labels)


def test_masks_of_0_and_255(tmp_path):
    """The foreground would be ignored: refused, also if the first map is black."""
    write_labels(tmp_path, 'a', np.zeros((32, 40), np.uint8))
    mask = np.zeros((32, 40), np.uint8)
    mask[4:9, 5:9] = 255
    for name in 'bc':
        write_labels(tmp_path, name, mask)
    init_default_scope('mmseg')
    dataset = LabelMapDataset(str(tmp_path), metainfo=TWO, pipeline=LOAD)
    message = "b.png has the values 0 and 255 alone.*'car'.*0 to 1; write 1"
    with pytest.raises(DuGIError, match=message):
        dataset[1]
    (tmp_path / 'list.txt').write_text('b\nc')
    with pytest.raises(DuGIError, match=message):
        LabelMapDataset(str(tmp_path), 'list.txt', metainfo=TWO)
    # One image without objects, of which a part is ignored, is as good as any.
    write_labels(tmp_path, 'c', mask // 255)
    dataset = LabelMapDataset(str(tmp_path), 'list.txt', metainfo=TWO, pipeline=LOAD)
    assert [int((s['gt_seg_map'] == 255).sum()) for s in dataset] == [20, 0]


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_label_maps_in_jpeg(tmp_path, suffix):
    """Losses shift classes at every edge, whatever the file is called."""
    labels = np.zeros((32, 40), np.uint8)
    labels[8:, 20:] = 1
    write_image(tmp_path / 'images/a.png', labels)
    (tmp_path / 'labels').mkdir()
    Image.fromarray(labels).save(tmp_path / f'labels/a{suffix}', 'JPEG')
    with pytest.raises(DuGIError, match=f'a{suffix} is a JPEG.*give the PNG'):
        LabelMapDataset(str(tmp_path), metainfo=TWO, seg_map_suffix=suffix)


def test_all_unknown_values_are_named(tmp_path):
    """What was found stands beside what is expected."""
    labels = np.zeros((32, 40), np.uint8)
    labels[0, :5] = 1, 7, 38, 75, 113
    write_labels(tmp_path, 'a', labels)
    message = r'a.png has the value 7, 38, 75 and 1 more, but 2 classes have 0 to 1'
    with pytest.raises(DuGIError, match=message):
        LabelMapDataset(str(tmp_path), metainfo=TWO)


def test_two_images_of_one_name(own_set):
    """``a.png`` beside ``a.jpg`` would share a label map."""
    write_image(own_set / 'images/a.jpg')
    with pytest.raises(DuGIError, match='a.jpg and .*a.png differ in their extension'):
        LabelMapDataset(str(own_set), metainfo=TWO)


def test_what_is_there_instead(own_set):
    """A label map of another extension is mentioned."""
    (own_set / 'labels/a.png').rename(own_set / 'labels/a.jpg')
    with pytest.raises(DuGIError, match=r'no label map .*a\.png \(found a\.jpg\)'):
        LabelMapDataset(str(own_set), metainfo=TWO)
