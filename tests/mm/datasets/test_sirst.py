"""SIRSTDataset finds the layouts small-target sets are released in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmseg', reason='the small-target sets need mmsegmentation')

from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from toys import write_image

import dugi_mae.mmseg  # noqa: F401  registers LoadTargetMask
from dugi_mae.errors import DuGIError
from dugi_mae.images.synthetic import write_dataset
from dugi_mae.mm.datasets.sirst import SIRSTDataset

NAMES = ['Misc_1', 'Misc_2', 'S01']
LAYOUTS = {
    'v1': ('images', 'masks', '_pixels0', 'idx_427/train.txt'),
    'v2': ('mixed', 'annotations/masks', '_pixels0', 'splits/train_full.txt'),
    'literature': ('images', 'masks', '', 'img_idx/train_NUAA-SIRST.txt'),
    'dnanet': ('images', 'masks', '', '50_50/train.txt'),
    'irstd1k': ('IRSTD1k_Img', 'IRSTD1k_Label', '', 'trainval.txt'),
}
PIPELINE = [
    dict(type='LoadInfraredImage'),
    dict(type='LoadTargetMask'),
    dict(type='PackSegInputs'),
]


def write_set(root: Path, layout: str) -> str:
    """Write three images, the last without a target; gives the split file."""
    images, masks, suffix, split = LAYOUTS[layout]
    for name in NAMES:
        mask = np.zeros((32, 40), np.uint8)
        if name != NAMES[-1]:
            mask[4:6, 8:11] = 255
        write_image(root / images / f'{name}.png', mask // 2 + 60)
        write_image(root / masks / f'{name}{suffix}.png', mask)
        (root / masks / f'{name}.xml').touch()
    for folder in (images, masks):  # what macOS leaves on foreign disks
        (root / folder / '.DS_Store').touch()
        (root / folder / f'._{NAMES[0]}{suffix * (folder == masks)}.png').touch()
    (root / split).parent.mkdir(exist_ok=True)
    (root / split).write_text('\n'.join(NAMES[1:]))  # without a final newline
    return split


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    write_set(tmp_path, 'v1')
    return tmp_path


@pytest.mark.parametrize('layout', LAYOUTS)
def test_layout_is_found(tmp_path, layout):
    """Folders and mask names are recognised; the list's order is kept."""
    split = write_set(tmp_path, layout)
    dataset = SIRSTDataset(str(tmp_path), split)
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [Path(s['img_path']).stem for s in samples] == NAMES[1:]
    for sample, name in zip(samples, NAMES[1:], strict=True):
        expected = f'{LAYOUTS[layout][1]}/{name}{LAYOUTS[layout][2]}.png'
        assert sample['seg_map_path'] == str(tmp_path / expected)


def test_without_a_list_all_images(v1):
    """An empty ``ann_file`` takes every image, sorted."""
    dataset = SIRSTDataset(str(v1))
    stems = [Path(dataset.get_data_info(i)['img_path']).stem for i in range(3)]
    assert stems == NAMES


def test_backgrounds_are_kept(v1):
    """An image without any target is a sample like the others."""
    with_pipeline = dict(type='SIRSTDataset', data_root=str(v1), pipeline=PIPELINE)
    init_default_scope('mmseg')
    dataset = DATASETS.build(with_pipeline)
    masks = [dataset[i]['data_samples'].gt_sem_seg.data for i in range(len(dataset))]
    assert [int(mask.sum()) for mask in masks] == [6, 6, 0]
    assert masks[0].shape == (1, 32, 40)


def test_metainfo():
    """Two classes, the target last, with a colour each."""
    assert SIRSTDataset.METAINFO['classes'] == ('background', 'target')
    assert len(SIRSTDataset.METAINFO['palette']) == 2


@pytest.mark.parametrize(
    'text',
    [
        'S01\nMisc_2',
        ' S01 \r\n\r\nMisc_2.PNG \r\n',
        'images/S01.png masks/S01.png\nMisc_2\t1\n',
    ],
)
def test_split_file_forms(v1, text):
    """Blanks, line ends, folders, extensions and further columns do not matter."""
    (v1 / 'train.txt').write_bytes(text.encode())
    dataset = SIRSTDataset(str(v1), 'train.txt')
    samples = [dataset.get_data_info(i) for i in range(2)]
    assert [Path(s['img_path']).stem for s in samples] == ['S01', 'Misc_2']


def test_one_folder_of_the_prefix(v1):
    """The other folder is that of the layout; without one both are to be given."""
    (v1 / 'masks').rename(v1 / 'other')
    (v1 / 'masks').mkdir()
    dataset = SIRSTDataset(str(v1), data_prefix=dict(seg_map_path='other'))
    assert Path(dataset.get_data_info(0)['img_path']).parent == v1 / 'images'
    (v1 / 'images').rename(v1 / 'pictures')
    with pytest.raises(DuGIError, match='none of the known layouts.* set data_prefix'):
        SIRSTDataset(str(v1), data_prefix=dict(seg_map_path='other'))
    both = dict(img_path='pictures', seg_map_path='other')
    assert len(SIRSTDataset(str(v1), data_prefix=both)) == 3


@pytest.mark.parametrize(
    ('spoil', 'settings', 'message'),
    [
        (None, dict(data_root='gone'), 'gone does not exist: correct data_root'),
        (
            lambda root: (root / 'images').rename(root / 'ir'),
            {},
            'mixed/ with annotations/masks/ or .* images/',
        ),
        (
            None,
            dict(data_prefix=dict(img_path='images', seg_map_path='labels')),
            '/labels does not exist: correct data_prefix',
        ),
        (
            None,
            dict(ann_file='idx_427/tarin.txt'),
            r'/tarin\.txt does not exist.*there: train\.txt',
        ),
        (
            lambda root: (root / 'idx_427/train.txt').write_text('\n \n'),
            {},
            r'train\.txt is empty',
        ),
        (
            lambda root: (root / 'idx_427/train.txt').write_text('S01\nS01.png\n'),
            {},
            r'S01\.png of .*train\.txt .*: keep one of them',
        ),
        (
            lambda root: [path.unlink() for path in (root / 'images').iterdir()],
            {},
            '/images holds no image',
        ),
        (
            lambda root: (root / 'images/Misc_2.png').unlink(),
            {},
            r'image Misc_2 of .*train\.txt is not in',
        ),
        (
            lambda root: (root / 'images/Misc_2.png').rename(
                root / 'images/Misc_2.gif'
            ),
            {},
            r'Misc_2 of .* \(found Misc_2\.gif\): .* PNG, JPEG or TIFF',
        ),
        (
            lambda root: (root / 'masks/Misc_2_pixels0.png').unlink(),
            {},
            r'Misc_2\.png has no mask in .*Misc_2_pixels0\.png or Misc_2\.png',
        ),
    ],
)
def test_bad_sets(v1, spoil, settings, message):
    """What is missing, empty or there twice is named in one line."""
    if spoil:
        spoil(v1)
    settings = dict(data_root=str(v1), ann_file='idx_427/train.txt') | settings
    with pytest.raises(DuGIError, match=message) as error:
        SIRSTDataset(**settings)
    assert '\n' not in str(error.value)


def test_unknown_mask_suffix(v1):
    """A mask of another name is mentioned, and the argument that fixes it works."""
    for path in list(v1.glob('masks/*_pixels0.png')):
        path.rename(str(path).replace('_pixels0', '-gt'))
    (v1 / 'masks/Misc_20.png').touch()
    with pytest.raises(
        DuGIError, match=r'found Misc_2-gt\.png, Misc_2\.xml\).*seg_map_suffix'
    ) as error:
        SIRSTDataset(str(v1), 'idx_427/train.txt')
    assert '\n' not in str(error.value)
    dataset = SIRSTDataset(str(v1), 'idx_427/train.txt', seg_map_suffix='-gt.png')
    assert dataset.get_data_info(0)['seg_map_path'].endswith('Misc_2-gt.png')


def test_synthetic_set(tmp_path):
    """The host reads the labelled part like the real set, also with 14-bit images."""
    init_default_scope('mmseg')
    written = write_dataset(tmp_path, 20, 48, 64, bit_depth=14)
    for split, size in dict(train=6, val=2, test=2).items():
        dataset = SIRSTDataset(
            str(written.labelled), f'idx_427/{split}.txt', pipeline=PIPELINE[:2]
        )
        assert len(dataset) == size
        assert dataset[0]['img'].shape == (48, 64, 3)


@pytest.mark.real_data
@pytest.mark.parametrize('split', ['train', 'val', 'test', 'trainval'])
def test_real_splits(data_root, split):
    """The authors' lists are complete, although they lack the final newline."""
    root = data_root / 'sirst'
    names = (root / f'idx_427/{split}.txt').read_text().split()
    dataset = SIRSTDataset(str(root), f'idx_427/{split}.txt')
    assert len(dataset) == len(names) > 0


@pytest.mark.real_data
@pytest.mark.slow
def test_real_masks(data_root):
    """Every real image loads with a mask of its size that has a target."""
    init_default_scope('mmseg')
    pipeline = [PIPELINE[0], dict(type='LoadTargetMask', on_mismatch='resize')]
    dataset = SIRSTDataset(str(data_root / 'sirst'), pipeline=pipeline)
    assert len(dataset) == len([*(data_root / 'sirst/images').glob('*.png')])
    for sample in dataset:
        mask = sample['gt_seg_map']
        assert mask.shape == sample['img_shape']
        assert set(np.unique(mask)) == {0, 1}


def test_parts_of_a_list(v1):
    """``split`` divides the listed images by their names, whatever else is listed."""
    names = [f'a{i}' for i in range(40)]
    for name in names:
        (v1 / f'images/{name}.png').touch()
        (v1 / f'masks/{name}.png').touch()

    def part(split: str | None, listed: list[str]) -> set[str]:
        (v1 / 'list.txt').write_text('\n'.join(listed))
        dataset = SIRSTDataset(str(v1), 'list.txt', split=split, val_fraction=0.3)
        return {Path(s['img_path']).stem for s in dataset.load_data_list()}

    train, val = part('train', names), part('val', names)
    assert train | val == part(None, names) == set(names) and not train & val
    assert 4 <= len(val) <= 20
    assert part('val', names[5:]) == val - set(names[:5])


def write_sequences(root: Path) -> None:
    """Two sequences that number their frames alike, with one target each."""
    for sequence, column in (('seq1', 8), ('seq2', 20)):
        for frame in range(2):
            mask = np.zeros((32, 40), np.uint8)
            mask[4:6, column + frame : column + frame + 3] = 255
            write_image(root / f'images/{sequence}/{frame}.png', mask // 2 + 60)
            write_image(root / f'masks/{sequence}/{frame}.png', mask)


@pytest.mark.parametrize(
    'text',
    ['seq2/0\nseq1/1', 'images/seq2/0.png\nimages/seq1/1.png', 'seq2\\0\nseq1\\1'],
)
def test_sequences(tmp_path, text):
    """Lists of frames, as of DTUM and NUDT-MIRSDT: matched by folder and name."""
    write_sequences(tmp_path)
    (tmp_path / 'train.txt').write_text(text)
    init_default_scope('mmseg')
    dataset = SIRSTDataset(str(tmp_path), 'train.txt', pipeline=PIPELINE[:2])
    assert len(dataset) == 2
    columns = [np.flatnonzero(s['gt_seg_map'].any(axis=0)).tolist() for s in dataset]
    assert columns == [[20, 21, 22], [9, 10, 11]]
    assert len(SIRSTDataset(str(tmp_path))) == 4


@pytest.mark.parametrize(
    ('file', 'line', 'message'),
    [
        (None, '0', r'image 0 of .*may be seq1/0\.png or seq2/0\.png.*with its folder'),
        ('images/seq1/0.jpg', 'seq1/0', 'differ in their extension only'),
        ('masks/seq1/0.bmp', 'seq1/0', 'differ in their extension only'),
        ('masks/seq1/0_pixels0.png', 'seq1/0', 'seq1/0 may belong to .*remove one'),
    ],
)
def test_ambiguous_frames(tmp_path, file, line, message):
    """A name of two images, and an image of two masks: nothing is guessed."""
    write_sequences(tmp_path)
    (tmp_path / 'train.txt').write_text(line)
    if file:
        write_image(tmp_path / file)
    with pytest.raises(DuGIError, match=message):
        SIRSTDataset(str(tmp_path), 'train.txt')
