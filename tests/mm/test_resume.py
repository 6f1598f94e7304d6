"""Which checkpoint a run goes on from."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.mm.resume import find_checkpoint


@pytest.fixture
def work_dir(tmp_path) -> Path:
    """Three checkpoints, the last one named."""
    for epoch in (8, 9, 10):
        path = tmp_path / f'epoch_{epoch}.pth'
        torch.save(dict(state_dict=dict(weight=torch.randn(64, 64))), path)
        os.utime(path, ns=(epoch, epoch))
    (tmp_path / 'last_checkpoint').write_text(str(path))
    torch.save({}, tmp_path / 'best_iou_epoch_10.pth')
    return tmp_path


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b'')


def remove(path: Path) -> None:
    path.unlink()


def diverge(path: Path) -> None:
    torch.save(dict(state_dict=dict(weight=torch.tensor([1.0, torch.nan]))), path)


def compress(path: Path) -> None:
    """As a bomb is: a megabyte that takes gigabytes to read."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)


DAMAGES = [truncate, flip_a_bit, empty, remove, diverge, compress]


def test_the_named_one_is_taken(work_dir):
    """Where nothing is wrong, last_checkpoint decides, not the age of files."""
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_9.pth'))
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_9.pth')


@pytest.mark.parametrize('damage', DAMAGES)
def test_the_newest_whole_one_replaces_a_damaged_one(work_dir, damage, log):
    """Every damage is seen, and the log names both files."""
    last, before = work_dir / 'epoch_10.pth', work_dir / 'epoch_9.pth'
    damage(last)
    assert find_checkpoint(work_dir) == str(before)
    assert str(last) in log[0] and log[0].endswith(f'continuing from {before}')


@pytest.mark.parametrize('note', [b'', b'\xff\xfe\0 epoch'])
def test_a_damaged_note(work_dir, note):
    """A last_checkpoint that was cut short or is no text is like one that is gone."""
    (work_dir / 'last_checkpoint').write_bytes(note)
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')


@pytest.mark.parametrize('keep', [True, False], ids=['copied', 'moved'])
def test_another_folder_is_not_followed(work_dir, tmp_path_factory, keep):
    """The note names the original's path; the file of that name here is meant."""
    new = tmp_path_factory.mktemp('new') / 'run'
    shutil.copytree(work_dir, new)
    if not keep:
        shutil.rmtree(work_dir)
    assert find_checkpoint(new) == str(new / 'epoch_10.pth')


def test_nothing_saved_yet(tmp_path):
    """A run that was killed before its first checkpoint starts anew."""
    assert find_checkpoint(tmp_path) is None


def test_a_kill_between_the_first_checkpoint_and_its_note(work_dir):
    """A whole checkpoint is used though nothing names it."""
    (work_dir / 'last_checkpoint').unlink()
    assert find_checkpoint(work_dir) == str(work_dir / 'epoch_10.pth')


def test_all_damaged(work_dir):
    """Hours of work do not start over without a word."""
    for path in work_dir.glob('epoch_*.pth'):
        truncate(path)
    with pytest.raises(DuGIError, match='holds no checkpoint.*start over'):
        find_checkpoint(work_dir)
