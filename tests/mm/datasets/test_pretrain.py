"""InfraredPretrainDataset lists any folder tree and splits it by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmpretrain.registry import DATASETS
from toys import write_image

import dugi_mae.mmpretrain  # noqa: F401
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets import InfraredPretrainDataset
from dugi_mae.mm.datasets.pretrain import in_val_split

PIPELINE = [
    dict(type='LoadInfraredImage'),
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.2, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


def names(dataset: InfraredPretrainDataset, root: Path) -> list[str]:
    return [
        Path(dataset.get_data_info(i)['img_path']).relative_to(root).as_posix()
        for i in range(len(dataset))
    ]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Five images at several depths among other files."""
    root = tmp_path / 'corpus'
    for name in ('b.png', 'a/2.jpg', 'a/10.JPG', 'a/deep/er/x.tif', 'c/y.bmp'):
        write_image(root / name)
    for name in ('.hidden.png', 'a/._2.jpg', '.cache/z.png', 'notes.txt', 'Thumbs.db'):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'x')
    return root


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """200 empty files that are named like images."""
    root = tmp_path / 'many'
    root.mkdir()
    for i in range(200):
        (root / f'{i:04}.jpg').touch()
    return root


def test_any_tree_in_sorted_order(tree):
    """Images of all depths are found, sorted by path; hidden files are not."""
    dataset = InfraredPretrainDataset(str(tree))
    expected = ['a/10.JPG', 'a/2.jpg', 'a/deep/er/x.tif', 'b.png', 'c/y.bmp']
    assert names(dataset, tree) == expected


def test_pipeline_of_mmpretrain(tree):
    """Samples pass through mmpretrain's transforms to its data sample."""
    dataset = DATASETS.build(
        dict(type='InfraredPretrainDataset', data_root=str(tree), pipeline=PIPELINE)
    )
    sample = dataset[1]
    assert sample['inputs'].shape == (3, 32, 32)
    assert sample['data_samples'].img_path.endswith('a/2.jpg')
    assert sample['data_samples'].sample_idx == 1


def test_several_roots(tree, many):
    """Folders are listed one after the other."""
    dataset = InfraredPretrainDataset([str(tree), str(many)])
    assert len(dataset) == 205
    assert dataset.get_data_info(5)['img_path'] == f'{many}/0000.jpg'


def test_extensions(tree):
    """Only the wanted endings count, with or without the dot, in any case."""
    dataset = InfraredPretrainDataset(str(tree), extensions=['JPG', '.bmp'])
    assert names(dataset, tree) == ['a/10.JPG', 'a/2.jpg', 'c/y.bmp']
    dataset = InfraredPretrainDataset(str(tree), extensions='png')
    assert names(dataset, tree) == ['b.png']


def test_split(many, tmp_path):
    """The parts share no file, together they are all; val is about its share.

    Nothing but path and seed counts: neither where the folder is nor other files.
    """

    def part(root: Path, split: str | None, seed: int = 0) -> set[str]:
        dataset = InfraredPretrainDataset(
            str(root), split=split, val_fraction=0.2, split_seed=seed
        )
        return set(names(dataset, root))

    train, val = part(many, 'train'), part(many, 'val')
    assert train | val == part(many, None)
    assert not train & val
    assert 20 <= len(val) <= 60
    moved = many.rename(tmp_path / 'moved')
    (moved / 'new.jpg').touch()
    (moved / min(val)).unlink()
    assert part(moved, 'val') - {'new.jpg'} == val - {min(val)}
    assert part(moved, 'val', seed=1) != part(moved, 'val')


def test_split_is_the_same_everywhere():
    """The rule is pinned: published splits must not change with the code."""
    picked = [i for i in range(100) if in_val_split(f'images/{i}.png', 0.05)]
    assert picked == [8, 10, 13, 20, 31, 32, 42, 80, 86]


def test_image_list(tree):
    """A list restricts the images to its own, in its order; blank lines are ignored."""
    (tree / 'list.txt').write_text('c/y.bmp\n\n  b.png  \na/2.jpg')
    dataset = InfraredPretrainDataset(str(tree), ann_file='list.txt')
    assert names(dataset, tree) == ['c/y.bmp', 'b.png', 'a/2.jpg']


def test_empty_split(tree):
    """A part without any file is an error that says what to change."""
    with pytest.raises(
        DuGIError,
        match=r"split 'val' .*corpus is empty \(5 images.*val_fraction",
    ):
        InfraredPretrainDataset(str(tree), split='val', val_fraction=1e-6)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(split='vall'), "split='vall' is unknown: did you mean 'val'"),
        (dict(val_fraction=5), 'val_fraction=5.*between 0 and 1'),
        (dict(extensions=[]), 'holds no image.*set extensions'),
        (dict(data_root='gone'), 'gone does not exist: correct data_root'),
        (dict(ann_file='no.txt'), r'image list .*no\.txt cannot be read'),
        (dict(ann_file='empty.txt'), r'empty\.txt is empty'),
        (dict(data_root=[]), 'data_root is an empty list'),
        (dict(data_root=''), "data_root is '': name the folder"),
        (dict(data_root=['a', 'b'], ann_file='x'), 'needs one data_root, got 2'),
    ],
)
def test_wrong_arguments(tree, kwargs, message):
    """Wrong arguments are answered in one line."""
    (tree / 'empty.txt').touch()
    with pytest.raises(DuGIError, match=message) as error:
        InfraredPretrainDataset(**{'data_root': str(tree), **kwargs})
    assert '\n' not in str(error.value)


@pytest.mark.real_data
def test_real_folder(data_root):
    """The real unlabelled images are all found and load."""
    root = data_root / 'infrared_unlabeled'
    dataset = InfraredPretrainDataset(str(root), pipeline=PIPELINE)
    assert len(dataset) == len([*root.rglob('*.jpg')]) > 0
    for index in range(0, len(dataset), 300):
        assert dataset[index]['inputs'].shape == (3, 32, 32)
