"""Weight files: read without running what they may contain, written completely."""

from __future__ import annotations

import argparse
import json
import struct
import tracemalloc
import zipfile

import pytest
import torch
from torch import nn

from dugi_mae.checkpoints.io import (
    check_checkpoint,
    check_published_name,
    file_sha256,
    load_weights,
    read_checkpoint,
    read_state_dict,
    write_checkpoint,
)
from dugi_mae.errors import DuGIError

STATE = {'a.weight': torch.arange(6.0).view(2, 3), 'a.bias': torch.tensor([1.0])}


def same(found: dict) -> bool:
    """Whether the tensors of :data:`STATE`, and no others, were found."""
    return set(found) == set(STATE) and all(
        torch.equal(found[k], v) for k, v in STATE.items()
    )


@pytest.mark.parametrize(
    'key',
    [None, 'state_dict', 'model', 'state_dict_ema'],
)
def test_tensors_are_found_under_the_usual_keys(tmp_path, key):
    """A bare dict, mmengine's ``state_dict``, MAE's ``model`` and averages alone."""
    content = STATE if key is None else {key: STATE}
    # Numbers and text beside the tensors of a bare dict are no weights.
    torch.save({**content, 'epoch': 3, 'name': 'x'}, tmp_path / 'x.pth')
    assert same(read_state_dict(tmp_path / 'x.pth'))
    assert same(read_state_dict(str(tmp_path / 'x.pth')))


def test_trained_weights_go_before_averaged_ones(tmp_path):
    """Of a file with both, the state dict is the one that was trained."""
    ema = {k: v + 1 for k, v in STATE.items()}
    torch.save(dict(ema_state_dict=ema, state_dict=STATE), tmp_path / 'x.pth')
    assert same(read_state_dict(tmp_path / 'x.pth'))


def test_the_old_file_format_is_read(tmp_path):
    """Files of torch before 1.6 load as well."""
    torch.save(
        {'model': STATE}, tmp_path / 'x.pth', _use_new_zipfile_serialization=False
    )
    assert same(read_state_dict(tmp_path / 'x.pth'))


def test_a_mae_script_file_with_its_arguments(tmp_path):
    """``argparse.Namespace``, saved by every MAE-style script, is allowed."""
    args = argparse.Namespace(lr=1e-3, data_path='/data', mask_ratio=0.75)
    torch.save({'model': STATE, 'args': args, 'epoch': 399}, tmp_path / 'x.pth')
    content = read_checkpoint(tmp_path / 'x.pth')
    assert content['args'] == args
    assert same(content['model'])


def test_paths_are_those_of_a_shell(tmp_path, monkeypatch):
    """``~`` is the home folder, other users' are no error, a caller has its remedy."""
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save(STATE, tmp_path / 'x.pth')
    assert check_checkpoint('~/x.pth') == tmp_path / 'x.pth'
    assert same(read_state_dict('~/x.pth'))
    assert file_sha256('~/x.pth') == file_sha256(tmp_path / 'x.pth')
    for path in ('~/y.pth', '~no_such_user/y.pth'):
        with pytest.raises(DuGIError, match='/y.pth does not exist: check the path'):
            read_checkpoint(path)
    with pytest.raises(DuGIError, match='y.pth does not exist: use --resume'):
        check_checkpoint(tmp_path / 'y.pth', 'use --resume')
    with pytest.raises(DuGIError, match=r'is a folder: .*\.pth'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize('name', ['dugi-mae_tiny', 'irstd_tiny_a'])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_names_of_ours_are_compared_with_the_hash(tmp_path, name, suffix):
    """A published file that was damaged or replaced is refused by its name."""
    path = tmp_path / f'{name}.{suffix}'
    digest = write_checkpoint(dict(state_dict=STATE), path)
    good = path.rename(path.with_name(f'{name}-{digest[:8]}.{suffix}'))
    check_published_name(good)
    bad = path.with_name(f'{name}-00000000.{suffix}')
    bad.write_bytes(good.read_bytes())
    with pytest.raises(DuGIError, match=rf'{digest}.* 00000000.*rename'):
        load_weights(nn.Linear(1, 1), bad)


@pytest.mark.parametrize(
    'name', ['model-10000000.pth', 'resnet50-11ad3fa6.pth', 'dugi-mae-epoch.pth']
)
def test_names_of_others_are_not(tmp_path, name):
    """Eight digits in the name of anybody's file mean nothing."""
    torch.save({k: v for k, v in nn.Linear(1, 1).state_dict().items()}, tmp_path / name)
    load_weights(nn.Linear(1, 1), tmp_path / name)


@pytest.mark.parametrize(
    ('layers', 'reason'),
    [
        (dict(a=nn.Linear(3, 2), b=nn.Linear(2, 2)), 'Missing key.*"b.weight"'),
        (dict(), 'Unexpected key.*"a.weight"'),
        (dict(a=nn.Linear(5, 1)), 'size mismatch for a.weight'),
        (
            {f'layer{i}': nn.Linear(1, 1) for i in range(99)},
            'Missing key.*"layer0.weight", .* and more',
        ),
    ],
)
def test_a_model_is_loaded_completely_or_not_at_all(tmp_path, layers, reason):
    """What is missing, unexpected or mismatched is named, shortly, in one line."""
    torch.save({'state_dict': STATE}, tmp_path / 'x.pth')
    model = nn.ModuleDict({'a': nn.Linear(3, 2)})
    model.a.bias = nn.Parameter(torch.zeros(1))
    load_weights(model, tmp_path / 'x.pth')
    assert same(model.state_dict())
    match = f'x.pth does not fit the config: {reason}.*; use the config'
    with pytest.raises(DuGIError, match=match) as caught:
        load_weights(nn.ModuleDict(layers), tmp_path / 'x.pth')
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('damage', ['empty', 'text', 'cut', 'not a pickle'])
def test_damaged_files_are_named(tmp_path, damage, suffix):
    """Whatever is wrong inside, one line names the file."""
    path = tmp_path / f'damaged.{suffix}'
    write_checkpoint(dict(state_dict=STATE), path)
    intact = path.read_bytes()
    path.write_bytes(
        {
            'empty': b'',
            'text': b'<html>404 not found</html>',
            'cut': intact[: len(intact) // 2],
            'not a pickle': b'\x80\x02garbage',
        }[damage]
    )
    match = rf'damaged\.{suffix} cannot be read safely.*get the file again'
    with pytest.raises(DuGIError, match=match) as caught:
        read_checkpoint(path)
    assert '\n' not in str(caught.value)


# Torch warns of sparse and of quantized tensors as such.
@pytest.mark.filterwarnings('ignore::UserWarning')
@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ([1, 2], 'holds no state dict'),
        ({'epoch': 3}, 'holds no tensors'),
        ({'a': torch.eye(2).to_sparse()}, "'a' is sparse.*dense"),
        ({'a': torch.zeros(1).expand(9)}, "'a' is .*expanded.*dense"),
        ({'a': torch.zeros(2, device='meta')}, 'dense tensors'),
        ({3: torch.zeros(2)}, '3 .*no name'),
        ({'a': torch.tensor([0, torch.nan])}, 'a .*not finite.*earlier'),
        ({'a': torch.tensor([0, torch.inf])}, 'a .*not finite.*earlier'),
        ({'a_mask': torch.tensor([0, torch.nan])}, 'a_mask .*not finite.*earlier'),
        (
            {'a': torch.quantize_per_tensor(torch.zeros(2), 1, 0, torch.qint8)},
            'quantized.*dense',
        ),
    ],
)
def test_files_without_plain_weights_are_named(tmp_path, content, match):
    """A readable file that holds no numbers for a model says so."""
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(DuGIError, match=f'odd.pth.* {match}'):
        read_state_dict(tmp_path / 'odd.pth')


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_what_is_written_is_read(tmp_path, suffix):
    """Equal content gives equal files, also where tensors share memory."""
    shared = torch.arange(12.0).view(3, 4)
    state = {**STATE, 'b': shared[:2], 'c': shared.t(), 'd': nn.Parameter(shared)}
    meta = dict(epoch=3, classes=('a', 'b'))
    paths = [tmp_path / name / f'{name}.{suffix}' for name in ('x', 'y')]
    digests = {write_checkpoint(dict(state_dict=state, meta=meta), p) for p in paths}
    assert digests == {file_sha256(p) for p in paths}
    assert len(digests) == 1
    content = read_checkpoint(paths[0])
    assert content['meta'] == json.loads(json.dumps(meta)) or suffix == 'pth'
    for name, value in content['state_dict'].items():
        assert torch.equal(value, state[name])
    assert [p.name for p in paths[0].parent.iterdir()] == [f'x.{suffix}']


def test_a_header_that_asks_for_much_memory_is_refused(tmp_path):
    """A small file cannot make a reader allocate what its header claims."""
    header = json.dumps(
        {'a': dict(dtype='F32', shape=[2**40], data_offsets=[0, 2**42])}
    )
    content = struct.pack('<Q', len(header)) + header.encode()
    (tmp_path / 'x.safetensors').write_bytes(content)
    with pytest.raises(DuGIError, match='cannot be read safely'):
        read_checkpoint(tmp_path / 'x.safetensors')


def test_a_compressed_file_is_refused_unread(tmp_path):
    """Torch never compresses: 64 kB of zeros would become 64 MB, and then a pickle."""
    path = tmp_path / 'bomb.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('bomb/data.pkl', bytes(2**26))
    tracemalloc.start()
    with pytest.raises(DuGIError, match='bomb.pth cannot be read.*compressed'):
        read_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_files_are_read_where_they_are_wanted(tmp_path, monkeypatch):
    """``map_location`` reaches torch, as a name, a device or a function."""
    torch.save(STATE, tmp_path / 'x.pth')
    given, load = [], torch.load

    def record(*args, map_location, **kwargs):
        given.append(map_location)
        return load(*args, map_location=map_location, **kwargs)

    monkeypatch.setattr(torch, 'load', record)
    places = ['cpu', torch.device('cpu'), None, lambda storage, _: storage]
    for place in places:
        assert same(read_checkpoint(tmp_path / 'x.pth', place))
    assert given == places
