"""What a pickle of weights may not do."""

from __future__ import annotations

import argparse
import datetime
import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from dugi_mae.errors import DuGIError
from dugi_mae.checkpoints.io import read_checkpoint, read_state_dict

STATE = {'a.weight': torch.arange(6.0).view(2, 3)}


class Payload:
    """An object whose unpickling calls a function."""

    def __init__(self, function, *args) -> None:
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('where', ['model', 'args', 'inside a buffer'])
def test_a_malicious_file_runs_nothing(tmp_path, where, zipped):
    """A pickle that would run a command is refused before anything happened."""
    proof = tmp_path / 'it_ran'
    payload = Payload(os.mkdir, str(proof))
    buffer = HistoryBuffer([1.0], [1])
    if where == 'inside a buffer':
        buffer.payload = payload
    content = {
        'model': STATE if where != 'model' else {**STATE, 'evil': payload},
        'args': payload if where == 'args' else None,
        'buffer': buffer,
    }
    path = tmp_path / 'evil.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for read in (read_checkpoint, read_state_dict):
        with pytest.raises(DuGIError, match='evil.pth cannot be read safely') as caught:
            read(path)
        assert '\n' not in str(caught.value)
    assert not proof.exists()
    # The payload is live: an unsafe load of the same file runs it.
    torch.load(path, weights_only=False)
    assert proof.is_dir()


@pytest.mark.parametrize('name', ['WEIGHTS_ONLY', 'NO_WEIGHTS_ONLY'])
def test_variables_of_torch_change_nothing(tmp_path, monkeypatch, name):
    """A user may have set one for mmengine: files are read, code is not run."""
    variable, proof = f'TORCH_FORCE_{name}_LOAD', tmp_path / 'it_ran'
    monkeypatch.setenv(variable, '1')
    before = dict(os.environ)
    torch.save({'model': STATE}, tmp_path / 'good.pth')
    found = read_state_dict(tmp_path / 'good.pth')
    assert torch.equal(found['a.weight'], STATE['a.weight'])
    torch.save({'model': STATE, 'x': Payload(os.mkdir, str(proof))}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match='x.pth cannot be read safely .it asks for'):
        read_checkpoint(tmp_path / 'x.pth')
    assert not proof.exists()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__class__'),
        (HistoryBuffer, 'register_statistics'),
        (argparse.Namespace, '__init__'),
        (np.ndarray, 'tofile'),
    ],
)
def test_getattr_is_for_log_buffers_only(tmp_path, owner, name):
    """``getattr``, which mmengine's files ask for, opens no other door."""
    torch.save({'model': STATE, 'x': Payload(getattr, owner, name)}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match=f'may not ask for {name} of'):
        read_checkpoint(tmp_path / 'x.pth')


@pytest.mark.parametrize('function', [eval, exec, os.system, __import__, open])
def test_other_functions_are_refused_by_name(tmp_path, function):
    """The message says what the file asks for, and never how to load it unsafely."""
    torch.save({'x': Payload(function, 'os')}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError) as caught:
        read_checkpoint(tmp_path / 'x.pth')
    message = str(caught.value)
    assert function.__name__ in message
    assert 'weights_only' not in message
    assert message.isprintable()


def test_objects_that_are_not_weights_are_named(tmp_path):
    """A file with other objects than weights says which."""
    torch.save({'model': STATE, 'when': datetime.timedelta(3)}, tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match=r'x.pth .*datetime.timedelta'):
        read_checkpoint(tmp_path / 'x.pth')


def test_a_file_cannot_change_how_logs_are_averaged(tmp_path):
    """``HistoryBuffer`` keeps its statistics in its class: no file may alter them."""
    before = dict(HistoryBuffer._statistics_methods)
    state = HistoryBuffer([1.0, 3.0], [1, 1]).__getstate__()
    state['statistics_methods'] = dict(mean=HistoryBuffer.max, extra=HistoryBuffer.min)
    evil = Payload(HistoryBuffer)
    evil.call += (state,)
    torch.save({'model': STATE, 'message_hub': evil}, tmp_path / 'x.pth')
    try:
        try:
            read_checkpoint(tmp_path / 'x.pth')
        except DuGIError:
            pass  # Refusing the file is as good.
        assert HistoryBuffer._statistics_methods == before
        assert HistoryBuffer([1.0, 3.0], [1, 1]).statistics('mean') == 2
    finally:
        HistoryBuffer._statistics_methods.clear()
        HistoryBuffer._statistics_methods.update(before)


def test_reading_leaves_no_door_open(tmp_path):
    """What is allowed for one file is not allowed to the rest of the process."""
    before = set(map(str, torch.serialization.get_safe_globals()))
    torch.save({'args': argparse.Namespace(a=1)}, tmp_path / 'x.pth')
    read_checkpoint(tmp_path / 'x.pth')
    assert set(map(str, torch.serialization.get_safe_globals())) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'x.pth', weights_only=True)
