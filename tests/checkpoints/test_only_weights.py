"""What a pickle of weights may not do."""

from __future__ import annotations

import argparse
import os
import pickle
import threading

import numpy as np
import pytest
import torch
from toys import Payload

from dugi_mae.checkpoints.io import read_checkpoint, read_state_dict
from dugi_mae.errors import DuGIError

STATE = {'a.weight': torch.arange(6.0).view(2, 3)}


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('where', ['model', 'args'])
def test_a_malicious_file_runs_nothing(tmp_path, where, zipped):
    """A pickle that would run a command is refused before anything happened."""
    proof = tmp_path / 'it_ran'
    payload = Payload(os.mkdir, str(proof))
    content = {'model': {**STATE, 'x': payload} if where == 'model' else STATE}
    content['args'] = payload if where == 'args' else None
    path = tmp_path / 'evil.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for read in (read_checkpoint, read_state_dict):
        with pytest.raises(DuGIError, match='evil.pth .*mkdir.*--trust') as caught:
            read(path)
        assert '\n' not in str(caught.value)
    assert not proof.exists()
    # The payload is live: who trusts the file runs it.
    read_checkpoint(path, trust=True)
    assert proof.is_dir()


@pytest.mark.parametrize('name', ['WEIGHTS_ONLY', 'NO_WEIGHTS_ONLY'])
def test_variables_of_torch_change_nothing(tmp_path, monkeypatch, name):
    """A user may have set one for mmengine: files are read, code is not run."""
    monkeypatch.setenv(f'TORCH_FORCE_{name}_LOAD', '1')
    before, proof = dict(os.environ), tmp_path / 'it_ran'
    torch.save({'model': STATE}, tmp_path / 'good.pth')
    found = read_state_dict(tmp_path / 'good.pth')
    assert torch.equal(found['a.weight'], STATE['a.weight'])
    torch.save({'model': STATE, 'x': Payload(os.mkdir, str(proof))}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match='x.pth .*it asks for .*mkdir'):
        read_checkpoint(tmp_path / 'x.pth')
    assert not proof.exists()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ('owner', 'name'),
    [(argparse.Namespace, '__init__'), (np.ndarray, 'tofile'), (dict, '__class__')],
)
def test_getattr_is_for_log_buffers_only(tmp_path, owner, name):
    """``getattr``, which mmengine's files ask for, opens no other door."""
    torch.save({'model': STATE, 'x': Payload(getattr, owner, name)}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match=r'x\.pth cannot be read safely'):
        read_checkpoint(tmp_path / 'x.pth')


@pytest.mark.parametrize('function', [eval, os.system])
def test_other_functions_are_refused_by_name(tmp_path, function):
    """The message says what the file asks for, and never torch's unsafe remedy."""
    torch.save({'x': Payload(function, 'os')}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError) as caught:
        read_checkpoint(tmp_path / 'x.pth')
    message = str(caught.value)
    assert function.__name__ in message
    assert 'weights_only' not in message
    assert message.isprintable()


def test_reading_leaves_no_door_open(tmp_path):
    """What is allowed for one file is not allowed to the rest of the process."""
    before = set(map(str, torch.serialization.get_safe_globals()))
    torch.save({'args': argparse.Namespace(a=1)}, tmp_path / 'x.pth')
    read_checkpoint(tmp_path / 'x.pth')
    assert set(map(str, torch.serialization.get_safe_globals())) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'x.pth', weights_only=True)


def test_threads_do_not_open_doors_for_each_other(tmp_path):
    """Of good and malicious files in four threads, the good ones are read, and only."""
    proof, wrong = tmp_path / 'it_ran', []
    args = argparse.Namespace(lr=1e-3)
    torch.save(dict(model=STATE, args=args), tmp_path / 'good.pth')
    torch.save(dict(args=Payload(os.mkdir, str(proof))), tmp_path / 'evil.pth')
    before = set(map(str, torch.serialization.get_safe_globals()))

    def read(start: int) -> None:
        for i in range(start, start + 60):
            name = 'evil' if i % 2 else 'good'
            try:
                read_checkpoint(tmp_path / f'{name}.pth')
                done = 'good'
            except DuGIError:
                done = 'evil'
            if done != name:
                wrong.append(name)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not proof.exists()
    assert set(map(str, torch.serialization.get_safe_globals())) == before
