"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os

import pytest
from mmengine.fileio import get_file_backend

from dugi_mae.errors import DuGIError
from dugi_mae.mm.atomic_backend import AtomicBackend, remove_unfinished


def full_disk(*_) -> None:
    """What the system calls do when there is no space."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_writes_and_replaces(tmp_path):
    """The file holds what was put last, and nothing else is left in the folder."""
    backend = get_file_backend(backend_args=dict(backend='dugi_atomic'))
    path = tmp_path / 'new' / 'file'
    for content in (b'one', b'two'):
        backend.put(content, path)
        assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ['file']


@pytest.mark.parametrize('call', ['fsync', 'replace'])
def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch, call):
    """Whichever step fails, the old file is whole and the message says what to do."""
    backend, path = AtomicBackend(), tmp_path / 'file'
    backend.put(b'old', path)
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(DuGIError, match='No space left.*--resume') as caught:
        backend.put(b'new', path)
    assert '\n' not in str(caught.value)
    assert path.read_bytes() == b'old'
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_the_name_appears_only_when_the_content_is_synced(tmp_path, monkeypatch):
    """A process killed before the rename leaves the old file under the name."""
    path, seen = tmp_path / 'file', []
    backend = AtomicBackend()
    backend.put(b'old', path)
    sync = os.fsync

    def spy(handle):
        seen.append(path.read_bytes())
        sync(handle)

    monkeypatch.setattr(os, 'fsync', spy)
    backend.put(b'new', path)
    # The file is synced before it is renamed, the folder after.
    assert seen == [b'old', b'new']


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
