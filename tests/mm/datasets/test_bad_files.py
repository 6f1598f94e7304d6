"""Files that are no usable images: what is said of them, and what takes their place."""

from __future__ import annotations

import io
import os
import random
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch.utils.data import DataLoader

from dugi_mae.mm.datasets import InfraredPretrainDataset
from dugi_mae.mm.transforms import LoadInfraredImage, reading
from dugi_mae.images.normalize import (
    NORMALIZERS,
    build_normalizer,
    valid_pixels,
)
from dugi_mae.images.reading import decode, read_bytes
from dugi_mae.images.stored_size import stored_size
from dugi_mae.errors import BadImageError, DuGIError

PIPELINE = [
    dict(type='LoadInfraredImage'),
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.2, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


def encoded(image: np.ndarray, fmt: str) -> bytes:
    buffer = io.BytesIO()
    if fmt == 'TIFF':
        tifffile.imwrite(buffer, image)
    else:
        Image.fromarray(image).save(buffer, fmt)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, write_bad_images) -> Path:
    """Thirty good images of noise and one file of each bad kind."""
    for i in range(30):
        noise = np.random.RandomState(i).randint(0, 256, (40, 48)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f'good_{i:02}.png'), noise)
    write_bad_images(tmp_path)
    return tmp_path


def skipping(folder: Path, **kwargs) -> InfraredPretrainDataset:
    return InfraredPretrainDataset(
        str(folder), pipeline=PIPELINE, skip_bad_files=True, **kwargs
    )


def seeded(dataset: InfraredPretrainDataset, index: int, seed: int) -> dict:
    """A sample drawn from known generators."""
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
    return dataset[index]


def test_every_kind_has_its_reason(tmp_path, write_bad_images):
    """Each error is one line with the path; its reason is the same for all alike."""
    for name, reason in write_bad_images(tmp_path).items():
        with pytest.raises(BadImageError) as caught:
            LoadInfraredImage().load(str(tmp_path / name))
        assert caught.value.reason == reason, name
        assert str(caught.value).startswith(str(tmp_path / name))
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize('fmt', ['JPEG', 'PNG', 'BMP', 'WEBP', 'PPM', 'TIFF'])
@pytest.mark.parametrize('channels', [1, 3])
def test_the_size_is_known_before_decoding(monkeypatch, fmt, channels):
    """No decoder is asked for an image above the limit; one at the limit is read."""
    shape = (30, 50) if channels == 1 else (30, 50, 3)
    content = encoded(np.zeros(shape, np.uint8), fmt)
    assert stored_size(io.BytesIO(content))[:2] == (50, 30)
    assert decode(content, max_pixels=1500).shape[:2] == (30, 50)

    def never(*args, **kwargs):
        raise AssertionError('it was decoded')

    monkeypatch.setattr(reading.cv2, 'imdecode', never)
    monkeypatch.setattr(reading.tifffile, 'imread', never)
    with pytest.raises(BadImageError, match='a claims to be 50x30 pixels'):
        decode(content, 'a', max_pixels=1499)


def test_a_tiff_of_two_widths_has_none():
    """A tag that claims more numbers than one is damage, not a size."""
    content = encoded(np.zeros((30, 50), np.uint8), 'TIFF')
    width = [struct.pack('<HHI', 256, kind, 1) for kind in (3, 4)]
    (found,) = [tag for tag in width if tag in content]
    damaged = content.replace(found, struct.pack('<HHI', 256, 3, 2))
    assert stored_size(io.BytesIO(damaged)) is None
    with pytest.raises(BadImageError, match='^a is damaged'):
        decode(damaged, 'a')


def test_many_channels_count_as_pixels():
    """A TIFF may claim any number of channels; they need memory as pixels do."""
    cube = np.zeros((20, 20, 40), np.uint8)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, cube, photometric='minisblack', planarconfig='contig')
    content = buffer.getvalue()
    assert decode(content, max_pixels=4000).size == cube.size
    with pytest.raises(BadImageError, match='20x20 pixels with 40 channel'):
        decode(content, max_pixels=3999)


def test_the_limit_is_an_argument(tmp_path):
    """``max_pixels`` of the transform reaches the check."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((30, 50), np.uint8))
    load = LoadInfraredImage(max_pixels=1499).load
    with pytest.raises(BadImageError, match=r'a\.png .*more than max_pixels=1499'):
        load(str(tmp_path / 'a.png'))


def test_what_is_not_read_at_all(tmp_path):
    """A pipe is not waited for, and a file of gigabytes is not read."""
    os.mkfifo(tmp_path / 'pipe.png')
    with pytest.raises(BadImageError, match='cannot be read .not a regular file'):
        read_bytes(str(tmp_path / 'pipe.png'))
    with (tmp_path / 'sparse.png').open('wb') as file:
        file.truncate(2**40)
    with pytest.raises(BadImageError, match='is larger than 1073741824 bytes: cut'):
        read_bytes(str(tmp_path / 'sparse.png'))


@pytest.mark.parametrize('name', NORMALIZERS)
@pytest.mark.parametrize(
    ('dtype', 'odd'),
    [
        (np.float32, (np.nan, np.inf, -np.inf)),
        (np.float32, (np.finfo(np.float32).min,)),
        (np.float64, (1e308, -1e308)),
        (np.float32, (9e29, -9e29)),
        (np.float16, (np.nan, 65504)),
    ],
)
@pytest.mark.filterwarnings('error')
def test_no_count_breaks_a_normaliser(name, dtype, odd):
    """NaN, infinity and the missing-pixel marks of float files stay out of the grey."""
    image = np.random.RandomState(0).uniform(0, 1000, (24, 24)).astype(dtype)
    image.flat[: 100 * len(odd)] = np.repeat(np.array(odd, dtype), 100)
    spec = dict(type=name, lo=0, hi=1000) if name == 'fixed' else name
    grey = build_normalizer(spec)(image, valid_pixels(image))
    assert grey.dtype == np.float32
    assert np.isfinite(grey).all() and grey.min() >= 0 and grey.max() <= 1


def test_a_mark_for_missing_pixels_keeps_the_scene():
    """Half an image of the lowest float leaves the contrast of the other half."""
    image = np.linspace(0, 100, 576, dtype=np.float32).reshape(24, 24)
    image[:12] = np.finfo(np.float32).min
    grey = LoadInfraredImage(channels=1).convert(image)[..., 0]
    assert not grey[:12].any()
    assert len(np.unique(grey[12:])) > 200


def test_another_image_takes_the_place(folder):
    """Good files are untouched; a bad one is named in the sample of another image."""
    dataset = skipping(folder)
    assert len(dataset) == 37
    skipped = {}
    for index in range(37):
        path = dataset.get_data_info(index)['img_path']
        sample = dataset[index]
        assert sample['inputs'].shape == (3, 32, 32)
        used = sample['data_samples'].img_path
        assert 'good_' in used
        bad = sample['data_samples'].get('bad_files', [])
        assert (used == path) == (not bad)
        if bad:
            assert bad[0].path == path
            skipped |= {Path(file.path).name: file.reason for file in bad}
    assert skipped['nan.tiff'] == 'not finite' and len(skipped) == 7


def test_the_place_is_always_taken_by_the_same(folder):
    """Neither the generators nor what was loaded before decide which image it is."""
    first, second = skipping(folder), skipping(folder)
    used = {i: first[i]['data_samples'].img_path for i in range(37)}
    again = {i: second[i]['data_samples'].img_path for i in reversed(range(37))}
    assert used == again


def test_skipping_draws_nothing(folder):
    """Augmentation is what it would be had the index been that of the other image."""
    dataset = skipping(folder)
    index = next(i for i in range(37) if 'bad_files' in dataset[i]['data_samples'])
    sample = seeded(dataset, index, 5)
    paths = [dataset.get_data_info(i)['img_path'] for i in range(37)]
    other = paths.index(sample['data_samples'].img_path)
    assert torch.equal(sample['inputs'], seeded(dataset, other, 5)['inputs'])


def test_bad_files_are_an_error_by_default(folder):
    """Without ``skip_bad_files`` nothing is replaced."""
    dataset = InfraredPretrainDataset(str(folder), pipeline=PIPELINE)
    with pytest.raises(BadImageError, match=r'bomb\.png claims to be 60000x60000'):
        dataset[0]


@pytest.mark.parametrize('workers', [0, 2])
def test_nothing_but_bad_files_comes_to_an_end(tmp_path, write_bad_images, workers):
    """After ``max_refetch`` tries there is a summary, also out of a worker."""
    write_bad_images(tmp_path)
    dataset = skipping(tmp_path, max_refetch=20)
    loader = DataLoader(dataset, batch_size=2, num_workers=workers)
    with pytest.raises(DuGIError) as caught:
        next(iter(loader))
    last = str(caught.value).strip().splitlines()[-1]
    assert '21 images in a row cannot be used (' in last
    assert 'too large: ' in last and 'correct data_root' in last
    assert 'nan.tiff (not finite)' in last and 'bomb.png (too large)' in last
    assert workers or str(caught.value) == last
