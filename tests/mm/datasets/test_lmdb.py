"""Trees of images packed into an LMDB."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine import fileio
from torch.utils.data import DataLoader
from toys import noise, write_image

import dugi_mae.mmpretrain  # noqa: F401
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets import InfraredPretrainDataset
from dugi_mae.mm.datasets import lmdb as packing

TOOL = Path(__file__).resolve().parents[3] / 'tools/dataset_converters/pack_lmdb.py'
PIPELINE = [
    dict(type='LoadInfraredImage'),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs'),
]


@pytest.fixture
def tree(tmp_path) -> Path:
    """Images of noise in folders, with names that are no plain ASCII."""
    folder = tmp_path / 'images'
    for i, name in enumerate(
        ['b.png', 'a b/c.PNG', 'a b/d%20.tif', 'é/ü.jpg', '0.bmp']
    ):
        write_image(folder / name, noise(40, 48, seed=i))
    (folder / 'notes.txt').write_text('no image')
    return folder


def pack(monkeypatch, *arguments: object) -> None:
    """Call the tool."""
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
    runpy.run_path(str(TOOL), run_name='__main__')


@pytest.fixture
def packed(tree, monkeypatch) -> Path:
    """The tree as an LMDB."""
    out = tree.parent / 'images.lmdb'
    pack(monkeypatch, tree, out)
    return out


def build(*roots: Path, **kwargs) -> InfraredPretrainDataset:
    return InfraredPretrainDataset(list(map(str, roots)), pipeline=PIPELINE, **kwargs)


def names(dataset: InfraredPretrainDataset, root: Path) -> list[str]:
    """Paths relative to the root."""
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    return [path.partition(f'{root}/')[2] for path in paths]


def test_it_takes_the_place_of_its_folder(tree, packed):
    """Same images in the same order, byte for byte, and the same split."""
    before, after = build(tree), build(packed)
    assert names(after, packed) == names(before, tree)
    assert len(after) == 5 and len(build(packed, tree)) == 10
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old['inputs'], new['inputs'])
    for name in names(before, tree):
        path = packing.lmdb_path(packed, name)
        assert fileio.get(path) == (tree / name).read_bytes()
    for split in ('train', 'val'):
        options = dict(split=split, val_fraction=0.4)
        assert names(build(packed, **options), packed) == names(
            build(tree, **options), tree
        )


def test_workers_read_what_the_main_process_has_open(packed):
    """A database that is open in the parent is opened again in forked workers."""
    dataset = build(packed)
    expected = [sample['inputs'] for sample in dataset]
    loader = DataLoader(dataset, 1, num_workers=2, collate_fn=lambda batch: batch[0])
    for _ in range(2):
        for sample, image in zip(loader, expected, strict=True):
            assert torch.equal(sample['inputs'], image)


def test_packing_again_replaces_it(tree, packed, monkeypatch, capsys):
    """The tool is re-runnable and says what it did."""
    (tree / 'b.png').unlink()
    pack(monkeypatch, tree, packed)
    assert 'images.lmdb: 4 images' in capsys.readouterr().out
    assert len(build(packed)) == 4


def test_an_interrupted_packing_leaves_the_earlier_one(tree, packed, monkeypatch):
    """What was there stays intact, and nothing else is left."""
    monkeypatch.setattr(packing, 'tqdm', lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        packing.pack_lmdb(tree, ['b.png'], packed)
    assert len(build(packed)) == 5
    assert sorted(p.name for p in tree.parent.iterdir()) == ['images', 'images.lmdb']


def test_a_list_names_files_in_it(packed, tmp_path):
    """``ann_file`` works as with the folder; what is missing is a bad file by name."""
    listed = tmp_path / 'list.txt'
    listed.write_text('b.png\ngone.png\n')
    dataset = build(packed, ann_file=str(listed))
    assert names(dataset, packed) == ['b.png', 'gone.png']
    assert dataset[0]['inputs'].shape == (3, 32, 32)
    with pytest.raises(DuGIError, match='dugi-lmdb://.*lmdb/gone.png does not exist'):
        dataset[1]


def test_bad_input(tree, packed, monkeypatch, tmp_path):
    """Each refusal names the file and what to do."""
    with pytest.raises(SystemExit, match=r'out must end in .lmdb: name it out.lmdb'):
        pack(monkeypatch, tree, tmp_path / 'out')
    other = tmp_path / 'other.lmdb'
    other.mkdir()
    with pytest.raises(SystemExit, match=r'other.lmdb exists and is no LMDB'):
        pack(monkeypatch, tree, other)
    with pytest.raises(DuGIError, match=r'other.lmdb holds no image'):
        build(other)
    with pytest.raises(DuGIError, match='images.lmdb holds no image: .* 5 files'):
        build(packed, extensions=['.gif'])
    long = tree / ('x' * 200) / ('y' * 200) / ('z' * 200 + '.png')
    long.parent.mkdir(parents=True)
    long.write_bytes((tree / 'b.png').read_bytes())
    with pytest.raises(SystemExit, match='long.lmdb cannot be written: .*BAD_VALSIZE'):
        pack(monkeypatch, tree, tmp_path / 'long.lmdb')
    content = (packed / 'data.mdb').read_bytes()
    for damaged, reason in (
        (bytes(64) + content[64:], ''),
        (content[:-9], 'cut short'),
    ):
        other = tmp_path / f'damaged{reason}.lmdb'
        other.mkdir()
        (other / 'data.mdb').write_bytes(damaged)
        with pytest.raises(DuGIError, match=rf'is no LMDB .*{reason}.*pack it again'):
            build(other)


def test_without_the_package(packed, monkeypatch):
    """Told what to install."""
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    with pytest.raises(DuGIError, match='pip install lmdb'):
        build(packed)
