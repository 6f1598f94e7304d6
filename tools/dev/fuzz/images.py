"""Fuzz targets that read images and masks.

Each makes small good files, damages one and reads them as users do.
"""

from __future__ import annotations

import io
import random
from pathlib import Path

import cv2
import numpy as np
import tifffile
from mmengine.evaluator import BaseMetric
from mmengine.registry import DefaultScope
from torch.utils.data import Dataset
from verify import check_image

from dugi_mae.converters import irstd1k, msrs
from dugi_mae.mm.datasets.pretrain import InfraredPretrainDataset
from dugi_mae.mm.metrics.small_target_metric import SmallTargetMetric
from dugi_mae.mm.transforms import LoadInfraredImage
from dugi_mae.mmseg import ClassIoUMetric, LabelMapDataset, SIRSTDataset
from fuzz.edits import edit_bytes
from fuzz.trial import Trial

SIZE = (48, 40)  # width, height
ENDINGS = ('png', 'jpg', 'bmp', 'tif', 'tiff', 'webp')
LOADERS = (
    *(dict(), dict(channels=1), dict(normalizer='minmax'), dict(normalizer='clahe')),
    *(dict(channel=0), dict(channel=3), dict(to_float32=True)),
    *(dict(invalid=(0, 65535)), dict(normalizer=dict(type='fixed', lo=6700, hi=7100))),
)


def noise(rng: random.Random, *shape: int) -> np.ndarray:
    """Random 8-bit pixels."""
    return np.frombuffer(rng.randbytes(int(np.prod(shape))), np.uint8).reshape(shape)


def encode(kind: str, pixels: np.ndarray) -> bytes:
    """Pixels as a file of one of :data:`ENDINGS`."""
    if kind.startswith('tif'):
        file = io.BytesIO()
        tifffile.imwrite(file, pixels)
        return file.getvalue()
    return cv2.imencode(f'.{kind}', pixels)[1].tobytes()


def good_image(rng: random.Random) -> bytes:
    """A file that is as it should be."""
    kind = rng.choice(ENDINGS)
    channels = rng.choice(((), (3,))) if kind != 'png' else rng.choice(((), (3,), (4,)))
    pixels = noise(rng, *SIZE[::-1], *channels)
    if kind == 'png' and rng.random() < 0.5:
        pixels = pixels.astype(np.uint16) * 50
    if kind.startswith('tif') and rng.random() < 0.7:
        kinds = (np.uint16, np.float32, np.float16, np.uint32, np.int16)
        pixels = pixels.astype(rng.choice(kinds)) * 50
    return encode(kind, pixels)


def odd_image(rng: random.Random) -> tuple[bytes, str]:
    """A whole file of pixels that nobody expects."""
    shape = rng.choice(
        ((1, 1), (1, 500), (40, 48, 2), (40, 48, 5), (3, 40, 48), (2, 3, 40, 48), (40,))
    )
    kind = rng.choice('? i1 i2 i8 u4 u8 f2 f4 f8 c8'.split())
    pixels = noise(rng, *shape).astype(kind)
    if pixels.dtype.kind == 'f':
        pixels.flat[:: rng.choice((1, 2, 7))] = rng.choice(
            (np.nan, np.inf, -np.inf, 6e4)
        )
    return encode('tif', pixels), f'pixels {shape} of {kind}'


def damaged_image(trial: Trial, good: bytes) -> bytes:
    """Bytes of a damaged, odd or foreign image file."""
    if trial.rng.random() < 0.2:
        return trial.noted(odd_image(trial.rng))
    return trial.noted(edit_bytes(good, trial.rng))


def fuzz_image(trial: Trial) -> None:
    """Load a damaged image as training and ``verify.py`` do."""
    rng = trial.rng
    path = trial.write(
        f'a.{rng.choice(ENDINGS)}', damaged_image(trial, good_image(rng))
    )
    check_image(str(path))
    options = rng.choice(LOADERS)
    trial.notes.append(f'loader {options}')
    image = LoadInfraredImage(**options).transform(dict(img_path=str(path)))['img']
    assert image.ndim == 3 and image.shape[2] == options.get('channels', 3)
    assert np.isfinite(image).all() and image.dtype in (np.uint8, np.float32)
    dataset = InfraredPretrainDataset(
        str(trial.folder), pipeline=[dict(type='LoadInfraredImage')]
    )
    read_all(dataset)


def read_all(dataset: Dataset) -> list[dict]:
    """Every sample of a data set."""
    return [dataset[i] for i in range(len(dataset))]


def _write_pairs(
    trial: Trial, names: dict[str, str], folders: tuple[str, str], white: int = 1
) -> None:
    """Write images and masks of which one is damaged, seldom with its image.

    Args:
        trial: The case.
        names: Names of images to those of their masks, below the folders.
        folders: Of the images and of the masks.
        white: Value of the target.
    """
    rng = trial.rng
    victim = rng.choice(list(names))
    for name, label_name in names.items():
        mask = (noise(rng, *SIZE[::-1]) > 250).astype(np.uint8) * white
        image, label = encode('png', noise(rng, *SIZE[::-1])), encode('png', mask)
        if name == victim:
            label = damaged_image(trial, label)
            image = damaged_image(trial, image) if rng.random() < 0.2 else image
        trial.write(f'set/{folders[0]}/{name}.png', image)
        trial.write(f'set/{folders[1]}/{label_name}.png', label)


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
    names = dict(a='a_pixels0', b='b_pixels0')
    _write_pairs(trial, names, ('images', 'masks'), white=255)
    on_mismatch = trial.rng.choice(('error', 'resize'))
    mask = dict(type='LoadTargetMask', on_mismatch=on_mismatch)
    steps = [dict(type='LoadInfraredImage'), mask, dict(type='PackSegInputs')]
    samples = read_all(SIRSTDataset(str(root), pipeline=steps))
    _score(SmallTargetMetric(), samples, ('background', 'target'))


def _label_map(trial: Trial, root: Path) -> None:
    _write_pairs(trial, dict(a='a', b='b'), ('images', 'labels'))
    steps = ('LoadInfraredImage', 'LoadAnnotations', 'PackSegInputs')
    classes, pipeline = ('other', 'car'), [dict(type=step) for step in steps]
    data = LabelMapDataset(str(root), metainfo=dict(classes=classes), pipeline=pipeline)
    samples = read_all(data)
    for sample in samples:
        assert {*sample['data_samples'].gt_sem_seg.data.unique().tolist()} <= {
            0,
            1,
            255,
        }
    _score(ClassIoUMetric(), samples, classes)


def _irstd1k(trial: Trial, root: Path) -> None:
    names = dict(a='a', b='b')
    _write_pairs(trial, names, ('IRSTD1k_Img', 'IRSTD1k_Label'), white=255)
    for split, name in dict(trainval='a', test='b').items():
        trial.write(f'set/{split}.txt', name.encode())
    irstd1k.convert(root, trial.folder / 'out')


def _msrs(trial: Trial, root: Path) -> None:
    for split, name in dict(train='1D', test='2N').items():
        _write_pairs(
            trial, {name: name}, (f'{split}/ir', f'{split}/Segmentation_labels')
        )
    msrs.convert(root, trial.folder / 'out', subset=True)


def fuzz_mask(trial: Trial) -> None:
    """Train on, score or convert a set with a damaged mask or label map."""
    read = trial.rng.choice((_sirst, _sirst, _label_map, _label_map, _irstd1k, _msrs))
    trial.notes.append(read.__name__[1:])
    with DefaultScope.overwrite_default_scope('mmseg'):
        read(trial, trial.folder / 'set')
