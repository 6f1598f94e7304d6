"""Weight files: read without running what they may contain, adapted when loaded."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.checkpoints.io import (
    adapt_input_channels,
    adapt_pos_embed,
    check_checkpoint,
    file_sha256,
    load_weights,
    read_checkpoint,
    read_state_dict,
)

STATE = {'a.weight': torch.arange(6.0).view(2, 3), 'a.bias': torch.tensor([1.0])}


def same(found: dict) -> bool:
    """Whether the tensors of :data:`STATE`, and no others, were found."""
    return set(found) == set(STATE) and all(
        torch.equal(found[k], v) for k, v in STATE.items()
    )


@pytest.mark.parametrize('key', [None, 'state_dict', 'model'])
def test_tensors_are_found_under_the_usual_keys(tmp_path, key):
    """A bare dict, mmengine's ``state_dict`` and MAE's ``model`` are all read."""
    content = STATE if key is None else {key: STATE, 'epoch': 3}
    torch.save(content, tmp_path / 'x.pth')
    assert same(read_state_dict(tmp_path / 'x.pth'))
    assert same(read_state_dict(str(tmp_path / 'x.pth')))


def test_other_entries_are_left_out(tmp_path):
    """Numbers and text beside the tensors of a bare dict are no weights."""
    torch.save({**STATE, 'epoch': 3, 'name': 'x'}, tmp_path / 'x.pth')
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


def test_an_mmengine_file_with_its_log_buffers(tmp_path):
    """A runner's checkpoint: message hub with log buffers, numbers and metadata."""
    hub = MessageHub('test_checkpoint')
    for i in range(5):
        hub.update_scalar('train/loss', 1.0 / (i + 1))
        hub.update_scalar('val/miou', np.float64(i).item())
    hub.update_info_dict(
        dict(
            iter=5,
            seed=np.int64(3),
            best_score=np.float64(0.5),
            score32=np.float32(0.25),
            done=np.bool_(True),
            dataset_meta=dict(classes=('a', 'b'), palette=[[0, 0, 0], [255, 0, 0]]),
        )
    )
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(1, 3)).sum().backward()
    optimizer.step()
    content = dict(
        meta=dict(epoch=1, cfg='a = 1', dataset_meta=dict(classes=('a', 'b'))),
        state_dict=STATE,
        message_hub=hub.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[dict(last_step=1, _global_step=2)],
    )
    torch.save(content, tmp_path / 'epoch_1.pth')
    found = read_checkpoint(tmp_path / 'epoch_1.pth')
    buffer = found['message_hub']['log_scalars']['train/loss']
    assert isinstance(buffer, HistoryBuffer)
    np.testing.assert_allclose(buffer.data[0], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert buffer.statistics('min') == pytest.approx(0.2)
    info = found['message_hub']['runtime_info']
    assert (info['seed'], info['best_score'], info['done']) == (3, 0.5, True)
    assert info['score32'] == np.float32(0.25)
    assert same(read_state_dict(tmp_path / 'epoch_1.pth'))


def test_missing_files_and_folders_are_named(tmp_path):
    """A wrong path is told apart from a folder and from a damaged file."""
    with pytest.raises(DuGIError, match='nowhere.pth does not exist'):
        read_checkpoint(tmp_path / 'nowhere.pth')
    with pytest.raises(DuGIError, match='is a folder: name the .pth file'):
        read_checkpoint(tmp_path)


def test_the_home_folder(tmp_path, monkeypatch):
    """``~`` is the home folder wherever a file is named; other users' are no error."""
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save(STATE, tmp_path / 'x.pth')
    check_checkpoint('~/x.pth')
    assert same(read_state_dict('~/x.pth'))
    assert file_sha256('~/x.pth') == file_sha256(tmp_path / 'x.pth')
    for path in ('~/y.pth', '~no_such_user/y.pth'):
        with pytest.raises(DuGIError, match='/y.pth does not exist'):
            read_checkpoint(path)
    (tmp_path / 'x.pth').rename(tmp_path / 'x-00000000.pth')
    with pytest.raises(DuGIError, match='its name says 00000000'):
        read_checkpoint('~/x-00000000.pth')


def test_the_remedy_is_the_callers(tmp_path):
    """A tool may have another way out to offer than checking the path."""
    torch.save(STATE, tmp_path / 'x.pth')
    check_checkpoint(tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match='y.pth does not exist: use --resume alone'):
        check_checkpoint(tmp_path / 'y.pth', 'use --resume alone')


def test_a_model_is_loaded_completely(tmp_path):
    """All tensors, from under the usual keys."""
    torch.save({'state_dict': STATE}, tmp_path / 'x.pth')
    model = nn.ModuleDict({'a': nn.Linear(3, 2)})
    model.a.bias = nn.Parameter(torch.zeros(1))
    load_weights(model, tmp_path / 'x.pth')
    assert same(model.state_dict())


@pytest.mark.parametrize(
    ('layers', 'reason'),
    [
        (dict(a=nn.Linear(3, 2), b=nn.Linear(2, 2)), 'Missing key.*"b.weight"'),
        (dict(), 'Unexpected key.*"a.weight"'),
        (dict(a=nn.Linear(3, 1, bias=False)), 'Unexpected key.*"a.bias"'),
        (dict(a=nn.Linear(5, 1)), 'size mismatch for a.weight'),
        (
            {f'layer{i}': nn.Linear(1, 1) for i in range(99)},
            'Missing key.*"layer0.weight", .* and more',
        ),
    ],
)
def test_a_model_that_does_not_fit_is_not_loaded(tmp_path, layers, reason):
    """What is missing, left over or misshapen is named, shortly, in one line."""
    torch.save(STATE, tmp_path / 'x.pth')
    message = f'x.pth does not fit the config: {reason}.*; use the config that it'
    with pytest.raises(DuGIError, match=message) as caught:
        load_weights(nn.ModuleDict(layers), tmp_path / 'x.pth')
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize('damage', ['empty', 'text', 'cut', 'not a pickle'])
def test_damaged_files_are_named(tmp_path, damage):
    """Whatever is wrong inside, one line names the file."""
    path = tmp_path / 'damaged.pth'
    torch.save({'model': STATE}, path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            'empty': b'',
            'text': b'<html>404 not found</html>',
            'cut': whole[: len(whole) // 2],
            'not a pickle': b'\x80\x02garbage',
        }[damage]
    )
    with pytest.raises(DuGIError, match='damaged.pth cannot be read safely') as caught:
        read_checkpoint(path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ([1, 2], 'holds no state dict'),
        (torch.zeros(2), 'holds no state dict'),
        ({'epoch': 3}, 'holds no tensors'),
        ({'state_dict': {}}, 'holds no tensors'),
    ],
)
def test_files_without_weights_are_named(tmp_path, content, match):
    """A readable file that is no weight file says so."""
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(DuGIError, match=f'odd.pth {match}'):
        read_state_dict(tmp_path / 'odd.pth')


@pytest.mark.parametrize(('source', 'target'), [(3, 1), (1, 3), (1, 4), (5, 1)])
def test_input_channels_are_folded_for_grey_images(source, target):
    """On replicated grey input the adapted kernel does what the original did."""
    one, two = nn.Conv2d(source, 4, 2, 2), nn.Conv2d(target, 4, 2, 2)
    state = {k: v.detach().clone() for k, v in one.state_dict().items()}
    adapt_input_channels(state, 'weight', two)
    two.load_state_dict(state)
    grey = torch.randn(1, 1, 6, 6)
    torch.testing.assert_close(
        one(grey.expand(-1, source, -1, -1)), two(grey.expand(-1, target, -1, -1))
    )


@pytest.mark.parametrize(('source', 'target'), [(3, 3), (1, 1), (3, 4), (2, 3)])
def test_other_channel_counts_are_left_alone(source, target):
    """Equal counts and counts without a meaning are not touched."""
    state = {'weight': torch.randn(4, source, 2, 2)}
    before = state['weight']
    adapt_input_channels(state, 'weight', nn.Conv2d(target, 4, 2, 2))
    adapt_input_channels(state, 'absent', nn.Conv2d(target, 4, 2, 2))
    assert set(state) == {'weight'}
    assert state['weight'] is before


@pytest.mark.parametrize(('length', 'grid'), [(16, (4, 4)), (16, (2, 8)), (15, (4, 4))])
def test_position_embeddings_that_fit_or_cannot_be_read_are_left_alone(length, grid):
    """The same number of tokens, or no square grid: nothing is guessed."""
    state = {'pos': torch.randn(1, length, 8)}
    before = state['pos']
    adapt_pos_embed(state, 'pos', grid)
    assert state['pos'] is before


def test_position_embeddings_of_another_square_are_resized():
    """A constant table stays constant at its new size."""
    state = {'pos': torch.full((1, 9, 8), 0.5)}
    adapt_pos_embed(state, 'pos', (5, 4))
    torch.testing.assert_close(state['pos'], torch.full((1, 20, 8), 0.5))
