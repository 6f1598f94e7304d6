"""Checkpoints that a tool writes are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.checkpoints.io import file_sha256, read_checkpoint, write_checkpoint


@pytest.fixture(params=['.pth', '.safetensors'])
def path(request, tmp_path) -> Path:
    """A file to write, of each kind, in a folder that is not there yet."""
    return tmp_path / 'new' / f'x{request.param}'


def content(value: float) -> dict:
    """Weights of one value, and text."""
    return dict(state_dict={'a': torch.full((2, 3), value)}, meta=dict(epoch=3))


def value_in(path: Path) -> float:
    """The value that a file holds."""
    return read_checkpoint(path)['state_dict']['a'][0, 0].item()


def test_writes_and_replaces(path):
    """The file holds what was written last, its hash is told, and nothing is left."""
    for value in (1.0, 2.0):
        assert write_checkpoint(content(value), path) == file_sha256(path)
        assert value_in(path) == value
        assert read_checkpoint(path)['meta'] == dict(epoch=3)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_name_appears_only_when_the_content_is_synced(path, monkeypatch):
    """A process killed before the rename leaves the old file under the name."""
    write_checkpoint(content(1.0), path)
    seen, sync = [], os.fsync

    def spy(handle):
        seen.append(value_in(path))
        sync(handle)

    monkeypatch.setattr(os, 'fsync', spy)
    write_checkpoint(content(2.0), path)
    # The file is synced before it is renamed, the folder after.
    assert seen == [1.0, 2.0]


@pytest.mark.parametrize('call', ['fsync', 'replace'])
def test_full_disk_keeps_the_old_file(path, monkeypatch, call):
    """Whichever step fails, the old file is whole and one line says why."""
    write_checkpoint(content(1.0), path)

    def full_disk(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(DuGIError, match='cannot be written: No space left') as caught:
        write_checkpoint(content(2.0), path)
    assert '\n' not in str(caught.value)
    assert value_in(path) == 1.0
    assert [p.name for p in path.parent.iterdir()] == [path.name]
