"""Fuzz targets that read images and masks.

Each makes small good files, damages one and reads them as users do.
"""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import cv2
import numpy as np
import tifffile
from mmengine.evaluator import BaseMetric
from mmengine.registry import DefaultScope
from mmseg.evaluation import IoUMetric
from torch.utils.data import Dataset
from verify import check_image

from dugi_mae.converters import convert
from dugi_mae.mm.datasets.pretrain import InfraredPretrainDataset
from dugi_mae.mm.metrics.small_target_metric import SmallTargetMetric
from dugi_mae.mm.transforms import LoadInfraredImage
from dugi_mae.mmseg import LabelMapDataset, SIRSTDataset
from fuzz.edits import edit_bytes
from fuzz.trial import Trial

SIZE = (48, 40)  # width, height
#: Endings, and what their files may hold.
FORMATS = dict(
    png=('u1', 'u2'), jpg=('u1',), bmp=('u1',), webp=('u1',), tif=('u1', 'u2', 'f4')
)
#: Pixels that nobody expects.
ODD_SHAPES = ((1, 1), (1, 500), (40, 48, 2), (40, 48, 5), (3, 40, 48), (2, 3, 9, 9))
ODD_KINDS = '? i1 i2 i8 u4 u8 f2 f4 f8 c8'.split()
LOADERS = (
    *(dict(), dict(channels=1), dict(normalizer='minmax'), dict(channel=0)),
    *(dict(channel=3), dict(to_float32=True)),
    *(dict(invalid=(0, 65535)), dict(normalizer=dict(type='fixed', lo=6700, hi=7100))),
)


def noise(rng: random.Random, *shape: int) -> np.ndarray:
    """Random 8-bit pixels."""
    return np.frombuffer(rng.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)


def encode(kind: str, pixels: np.ndarray) -> bytes:
    """Pixels as a file of one of :data:`FORMATS`."""
    if kind == 'tif':
        file = io.BytesIO()
        tifffile.imwrite(file, pixels)
        return file.getvalue()
    return cv2.imencode(f'.{kind}', pixels)[1].tobytes()


def odd_tiff(rng: random.Random) -> bytes:
    """A TIFF of planes, bands, alpha, several pages, turned, inverted or with holes."""
    samples, planar = rng.randint(1, 6), rng.choice(('contig', 'separate'))
    pixels = noise(rng, samples, *SIZE[::-1]).astype(rng.choice(FORMATS['tif']))
    tags = [(274, 3, 1, rng.randint(1, 8), True)]
    if rng.random() < 0.5:
        empty = rng.choice(('0', '255', '-10000', 'nan', '-3.4028234663852886e+38'))
        tags.append((42113, 2, len(empty) + 1, empty, True))
    layout = dict(compression=rng.choice((None, 'zlib')), extratags=tags)
    layout |= dict(tile=rng.choice((None, (16, 16))), bigtiff=rng.random() < 0.2)
    if samples == 1:
        pixels = pixels[0]
        layout |= dict(photometric=rng.choice(('minisblack', 'miniswhite')))
    elif rng.random() < 0.8:
        pixels = pixels if planar == 'separate' else pixels.transpose(1, 2, 0)
        colours = samples > 2 and rng.random() < 0.5
        layout |= dict(photometric='rgb' if colours else 'minisblack')
        layout |= dict(planarconfig=planar)
    else:
        layout |= dict(photometric='minisblack', volumetric=rng.random() < 0.3)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **layout)
    return file.getvalue()


def odd_jpeg(rng: random.Random, good: bytes) -> bytes:
    """A JPEG with FLIR's segment, data behind its end, or both."""
    if rng.random() < 0.5:
        records = b'FLIR\0\1\0\0FFF\0' + rng.randbytes(rng.randint(0, 400))
        segment = b'\xff\xe1' + struct.pack('>H', len(records) + 2) + records
        good = good[:2] + segment + good[2:]
    return good + rng.randbytes(rng.choice((0, 2, 3000)))


def good_image(rng: random.Random, kind: str) -> bytes:
    """A file that is as it should be."""
    if kind == 'tif' and rng.random() < 0.5:
        return odd_tiff(rng)
    pixels = noise(rng, *SIZE[::-1], *rng.choice(((), (3,))))
    good = encode(kind, pixels.astype(rng.choice(FORMATS[kind])))
    return odd_jpeg(rng, good) if kind == 'jpg' and rng.random() < 0.5 else good


def damaged_image(trial: Trial, good: bytes) -> bytes:
    """Bytes of a damaged, odd or foreign image file."""
    rng = trial.rng
    if rng.random() < 0.8:
        return trial.noted(edit_bytes(good, rng))
    pixels = noise(rng, *rng.choice(ODD_SHAPES)).astype(rng.choice(ODD_KINDS))
    if pixels.dtype.kind == 'f':
        values = (np.nan, np.inf, -np.inf, 6e4)
        pixels.flat[:: rng.choice((1, 2, 7))] = rng.choice(values)
    note = f'pixels {pixels.shape} of {pixels.dtype}'
    return trial.noted((encode('tif', pixels), note))


def read_all(dataset: Dataset) -> list[dict]:
    """Every sample of a data set."""
    return [dataset[i] for i in range(len(dataset))]


def fuzz_image(trial: Trial) -> None:
    """Load a damaged image as training and ``verify.py`` do."""
    rng = trial.rng
    kind = rng.choice(list(FORMATS))
    content = good_image(rng, kind)
    if rng.random() < 0.9:
        content = damaged_image(trial, content)
    path = trial.write(f'a.{kind}', content)
    check_image(str(path))
    options = rng.choice(LOADERS)
    trial.notes.append(f'loader {options}')
    image = LoadInfraredImage(**options).transform(dict(img_path=str(path)))['img']
    assert image.ndim == 3 and image.shape[2] == options.get('channels', 3)
    assert np.isfinite(image).all() and image.dtype in (np.uint8, np.float32)
    load = [dict(type='LoadInfraredImage')]
    read_all(InfraredPretrainDataset(str(trial.folder), pipeline=load))


def _write_pair(
    trial: Trial, image_path: str, label_path: str, white: int = 1, bad: bool = True
) -> None:
    """Write an image and a mask that is damaged, if ``bad``, seldom with its image."""
    rng = trial.rng
    image = encode('png', noise(rng, *SIZE[::-1]))
    mask = (noise(rng, *SIZE[::-1]) > 250).astype(np.uint8) * white
    label = encode('png', mask)
    if bad:
        label = damaged_image(trial, label)
        image = damaged_image(trial, image) if rng.random() < 0.2 else image
    trial.write(f'set/{image_path}.png', image)
    trial.write(f'set/{label_path}.png', label)


def _score(metric: BaseMetric, samples: list[dict], classes: tuple[str, ...]) -> None:
    """Score each label map as if it had been predicted."""
    metric.dataset_meta = dict(classes=classes)
    for sample in samples:
        data = sample['data_samples'].to_dict()
        label = data['gt_sem_seg']['data']
        data['pred_sem_seg'] = dict(data=label)
        data['seg_logits'] = dict(data=(label == 1).float())
        metric.process({}, [data])
    metric.evaluate(len(samples))


def _sirst(trial: Trial, root: Path) -> None:
    for name in 'ab':
        label = f'masks/{name}_pixels0'
        _write_pair(trial, f'images/{name}', label, white=255, bad=name == 'a')
    on_mismatch = trial.rng.choice(('error', 'resize'))
    mask = dict(type='LoadTargetMask', on_mismatch=on_mismatch)
    steps = [dict(type='LoadInfraredImage'), mask, dict(type='PackSegInputs')]
    samples = read_all(SIRSTDataset(str(root), pipeline=steps))
    _score(SmallTargetMetric(), samples, ('background', 'target'))


def _label_map(trial: Trial, root: Path) -> None:
    for name in 'ab':
        _write_pair(trial, f'images/{name}', f'labels/{name}', bad=name == 'a')
    steps = ('LoadInfraredImage', 'LoadAnnotations', 'PackSegInputs')
    classes, pipeline = ('other', 'car'), [dict(type=step) for step in steps]
    data = LabelMapDataset(str(root), metainfo=dict(classes=classes), pipeline=pipeline)
    samples = read_all(data)
    for sample in samples:
        found = sample['data_samples'].gt_sem_seg.data.unique().tolist()
        assert {*found} <= {0, 1, 255}
    _score(IoUMetric(), samples, classes)


def _msrs(trial: Trial, root: Path) -> None:
    for split, name in dict(train='1D', test='2N').items():
        label = f'{split}/Segmentation_labels/{name}'
        _write_pair(trial, f'{split}/ir/{name}', label, bad=split == 'train')
    convert('msrs', root, trial.folder / 'out', subset=True)


def fuzz_mask(trial: Trial) -> None:
    """Train on, score or convert a set with a damaged mask or label map."""
    read = trial.rng.choice((_sirst, _label_map, _msrs))
    trial.notes.append(read.__name__[1:])
    with DefaultScope.overwrite_default_scope('mmseg'):
        read(trial, trial.folder / 'set')
