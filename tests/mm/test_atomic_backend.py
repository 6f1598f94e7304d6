"""Checkpoints are written as ``tests/test_files.py`` says, and removed late."""

from __future__ import annotations

import errno
import os

import pytest
from mmengine.fileio import get_file_backend

from dugi_mae.errors import DuGIError
from dugi_mae.mm.atomic_backend import AtomicBackend, remove_unfinished


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    """The old file is whole, and the message says how to go on."""

    def full_disk(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    backend = get_file_backend(backend_args=dict(backend='dugi_atomic'))
    path = tmp_path / 'new' / 'file'
    backend.put(b'old', path)
    monkeypatch.setattr(os, 'replace', full_disk)
    with pytest.raises(DuGIError, match='No space left.*--resume') as caught:
        backend.put(b'new', path)
    assert '\n' not in str(caught.value)
    assert path.read_bytes() == b'old'
    assert [p.name for p in path.parent.iterdir()] == ['file']


def test_removal_waits(tmp_path):
    """A removed file stays until told, and for good if it was written again."""
    backend = AtomicBackend()
    first, second = tmp_path / 'first', tmp_path / 'second'
    for path in (first, second):
        backend.put(b'', path)
        backend.remove(str(path))
        assert path.exists()
    backend.remove_outdated(keep=[str(second)])
    assert not first.exists()
    assert second.exists()


def test_leftovers_are_cleared(tmp_path):
    """What a killed process was writing goes, other files stay."""
    (tmp_path / '.epoch_1.pth.77.writing').write_bytes(b'')
    (tmp_path / 'epoch_1.pth').write_bytes(b'')
    remove_unfinished(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ['epoch_1.pth']
