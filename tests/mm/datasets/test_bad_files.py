"""What takes the place of files that are no usable images."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from toys import noise, write_image

import dugi_mae.mmpretrain  # noqa: F401
from dugi_mae.errors import BadImageError, DuGIError
from dugi_mae.mm.datasets import InfraredPretrainDataset

PIPELINE = [
    dict(type='LoadInfraredImage'),
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.2, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


@pytest.fixture
def folder(tmp_path, write_bad_images) -> Path:
    """Thirty good images of noise and one file of each bad kind."""
    for i in range(30):
        write_image(tmp_path / f'good_{i:02}.png', noise(40, 48, seed=i))
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
    message = str(caught.value.with_traceback(None)).strip()
    del caught  # and with the traceback the workers, which gc would wait for
    last = message.splitlines()[-1]
    assert '21 images in a row cannot be used (' in last
    assert 'too large: ' in last and 'correct data_root' in last
    assert 'nan.tiff (not finite)' in last and 'bomb.png (too large)' in last
    assert workers or message == last
