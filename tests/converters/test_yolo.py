"""Sets in the text format of YOLO, as tools export them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from released_sets import write
from toys import noise, write_image

from dugi_mae.converters import convert
from dugi_mae.errors import DuGIError

CONFIG = 'train: images/train\nval: images/val\nnc: 2\nnames: [person, car]\n'
#: Lines of the training image of 64x48 pixels, and the boxes they mean.
LINES = [
    ('1 0.5 0.5 0.25 0.5', ('car', 24, 12, 16, 24)),
    ('0 0.125 0.25 0.25 0.5', ('person', 0, 0, 16, 24)),
    ('0 0.25 0.25 0.5 0.25 0.5 0.75', ('person', 16, 12, 16, 24)),  # a triangle
    ('1 1.0 0.5 0.25 0.5', ('car', 56, 12, 8, 24)),  # half of it outside
]


def yolo(root: Path) -> Path:
    """A training image with objects, one without a label file, one of validation."""
    for name in ('train/seq1/0', 'train/seq2/0', 'val/0'):
        write_image(root / f'images/{name}.png', noise(48, 64))
    write(root / 'data.yaml', CONFIG)
    write(root / 'labels/train/seq1/0.txt', '\n'.join(line for line, _ in LINES))
    write(root / 'labels/train/classes.txt', 'person\ncar\n')
    write(root / 'labels/val/0.txt', '1 0.5 0.5 0.5 0.5\n\n')
    return root


def boxes(out: Path, split: str = 'train') -> dict[str, list[tuple]]:
    """Class name and box of every object, by image."""
    content = json.loads((out / f'annotations/{split}.json').read_text())
    names = {item['id']: item['name'] for item in content['categories']}
    found: dict = {item['id']: [] for item in content['images']}
    for item in content['annotations']:
        found[item['image_id']].append((names[item['category_id']], *item['bbox']))
    return {item['file_name']: found[item['id']] for item in content['images']}


def test_boxes(tmp_path):
    """Shares become pixels, polygons their hull; frames are told by their folder."""
    out = tmp_path / 'out'
    lines = convert('yolo', yolo(tmp_path / 'set'), out)
    assert boxes(out) == {
        'images/train/seq1/0.png': [box for _, box in LINES],
        'images/train/seq2/0.png': [],
    }
    assert boxes(out, 'val') == {'images/val/0.png': [('car', 16, 12, 32, 24)]}
    assert 'train: boxes cut to the image or corners put in order: 1' in lines
    assert not [line for line in lines if 'left out' in line]
    for split in ('train', 'val'):
        for name in boxes(out, split):
            assert (out / 'images' / name).is_file()


def roboflow(root: Path) -> None:
    """Folders by split first, and paths that begin with ``../``."""
    for split in ('train', 'val'):
        for kind in ('images', 'labels'):
            (root / split).mkdir(exist_ok=True)
            shutil.move(root / kind / split, root / split / kind)
    text = CONFIG.replace('images/train', '../train/images')
    write(root / 'data.yaml', text.replace('images/val', '../val/images'))


def lists(root: Path) -> None:
    """Lists of images, names by number, and a ``path`` of somebody else."""
    write(root / 'train.txt', './images/train/seq1/0.png\nimages/train/seq2/0.png\n')
    text = 'path: /home/me\ntrain: train.txt\nval: [images/val]\n'
    write(root / 'data.yaml', text + 'names:\n  0: person\n  1: car\n')


@pytest.mark.parametrize('arrange', [roboflow, lists])
def test_arrangements(tmp_path, arrange):
    """What tools export besides folders below ``images``."""
    root = yolo(tmp_path / 'set')
    arrange(root)
    convert('yolo', root, tmp_path / 'out')
    found = boxes(tmp_path / 'out')
    assert [*found.values()] == [[box for _, box in LINES], []]
    assert [*boxes(tmp_path / 'out', 'val').values()] == [[('car', 16, 12, 32, 24)]]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('1 0.5 0.5 0.2', "line 2 of .*0.txt is '1 0.5 0.5 0.2': a class number"),
        ('1 0.5 0.5 0.2 0.2 0.9', 'a class number'),  # what detectors write
        ('car 0.5 0.5 0.2 0.2', 'a class number'),
        ('2 0.5 0.5 0.2 0.2', 'has the class 2, data.yaml has names for 0, 1'),
        ('1 32 24 16 24', 'no shares of the sides: divide'),
        ('1 nan 0.5 0.2 0.2', 'no shares'),
    ],
)
def test_bad_labels_are_reported(tmp_path, line, message):
    """A bad label file is named with its line; the other images are converted."""
    root = yolo(tmp_path / 'set')
    write_image(root / 'images/train/bad.png')
    write(root / 'labels/train/bad.txt', f'0 0.5 0.5 0.2 0.2\n{line}')
    lines = convert('yolo', root, tmp_path / 'out')
    (reported,) = (text for text in lines if text.startswith('train: left out'))
    assert 'bad.txt' in reported
    assert re.search(message, reported.replace('bad', '0'))
    assert len(boxes(tmp_path / 'out')) == 2


def test_files_without_partner(tmp_path):
    """A label file without its image is named, one of another folder is not taken."""
    root = yolo(tmp_path / 'set')
    write(root / 'labels/train/seq2/1.txt', '0 0.5 0.5 0.2 0.2')
    lines = convert('yolo', root, tmp_path / 'out')
    (reported,) = (text for text in lines if 'left out' in text)
    assert 'labels/train/seq2/1.txt has no image' in reported


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (None, 'has no data.yaml .*none.*write one'),
        ('train: [', 'data.yaml is damaged YAML'),
        ('a text', 'data.yaml holds no keys'),
        ('train: images/train', 'names=None: write a list of class names'),
        ('names: [a, a]\ntrain: images/train', 'or one twice'),
        ('names: [a, b]', 'has none of train, val and test'),
        ('names: [a, b]\ntrain: images/tarin', 'images/tarin of .*data.yaml is not in'),
        (CONFIG.replace('images/val', 'images/train'), 'is in both train and val'),
    ],
)
def test_bad_settings(tmp_path, config, message):
    """What ``data.yaml`` lacks is said in one line."""
    root = yolo(tmp_path / 'set')
    if config is None:
        (root / 'data.yaml').unlink()
    else:
        write(root / 'data.yaml', config)
    with pytest.raises(DuGIError, match=message) as error:
        convert('yolo', root, tmp_path / 'out')
    assert '\n' not in str(error.value)


def test_two_images_of_one_name(tmp_path):
    """``0.png`` beside ``0.jpg`` would share their labels."""
    root = yolo(tmp_path / 'set')
    write_image(root / 'images/val/0.jpg')
    with pytest.raises(DuGIError, match='differ in their extension only'):
        convert('yolo', root, tmp_path / 'out')
