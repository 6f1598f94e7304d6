"""File names of annotation files that were written on another system."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from dugi_mae.annotations.image_names import locate_images
from dugi_mae.errors import DuGIError

COMPOSED = unicodedata.normalize('NFC', 'nuit d’été')
DECOMPOSED = unicodedata.normalize('NFD', COMPOSED)


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def located(folder: Path, *names: str) -> list[str]:
    images = [dict(id=i, file_name=name) for i, name in enumerate(names)]
    found = locate_images(images, folder)
    assert [image['id'] for image in found] == list(range(len(names)))
    return [image['file_name'] for image in found]


@pytest.mark.parametrize(
    'written, file',
    [
        ('night\\0001.png', 'night/0001.png'),
        ('Night/0001.PNG', 'night/0001.png'),
        (f'{COMPOSED}/1.png', f'{DECOMPOSED}/1.png'),
        (f'{DECOMPOSED}.png', f'{COMPOSED}.png'),
    ],
)
def test_the_file_that_is_meant(tmp_path, written, file):
    """As Windows or macOS would find it; names that are right stay."""
    make(tmp_path, file, 'x.png')
    assert located(tmp_path, 'x.png', written) == ['x.png', file]


def test_a_name_that_is_right_wins(tmp_path):
    """Where case tells files apart both are found; what is missing stays as it is."""
    make(tmp_path, 'a.png', 'A.png')
    names = ['a.png', 'A.png', 'gone.png']
    assert located(tmp_path, *names) == names


def test_several_files_may_be_meant(tmp_path):
    """None is chosen at random."""
    make(tmp_path, 'a.png', 'A.png')
    with pytest.raises(DuGIError, match=r'image a\.PNG may be A\.png or a\.png'):
        located(tmp_path, 'a.PNG')
