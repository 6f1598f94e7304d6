"""An encoder is loaded completely or not at all."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pytest
import torch
import toys
from safetensors.torch import save_file
from torch import nn

from dugi_mae.checkpoints import io, pretrained
from dugi_mae.checkpoints.pretrained import Loaded, load_encoder
from dugi_mae.errors import DuGIError
from dugi_mae.models import MaskedConvViT, MaskedDecoder

# pos_embed, 3 patch embeddings of 4, a Linear of 2, 2 conv blocks of 14, 2 ViT blocks
# of 12.
DENSE = 1 + 3 * 4 + 2 + 2 * 14 + 2 * 12


@pytest.fixture
def source() -> MaskedConvViT:
    """An encoder as pre-training leaves it."""
    return toys.stir(toys.masked_conv_vit())


def save(path: Path, state: dict, prefix: str = 'backbone.', key: str = 'state_dict'):
    """Write a state dict the way a runner does."""
    state = {prefix + k: v for k, v in state.items()}
    if 'backbone' in prefix:
        state['neck.decoder_embed.weight'] = torch.zeros(2, 2)
    torch.save({key: state} if key else state, path)
    return path


def load(path: Path, make=toys.conv_vit, **kwargs) -> tuple[nn.Module, Loaded]:
    """Build an encoder and load a file into it."""
    names = ('strict', 'sha256')
    options = {k: kwargs.pop(k) for k in names if k in kwargs}
    model = make(**kwargs)
    return model, load_encoder(model, path, **options)


def sha256(path: Path) -> str:
    """What ``sha256sum`` prints."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_loaded(model: nn.Module, state: dict) -> None:
    """Raise unless a model has the tensors of a state dict."""
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize(
    ('prefix', 'key'),
    [
        ('backbone.', 'state_dict'),
        ('', 'model'),
        ('backbone.', None),
        ('module.module.backbone.', 'ema_state_dict'),
        ('backbone._orig_mod.', 'state_dict'),
        ('', 'model_ema'),
    ],
)
def test_every_tensor_is_loaded_and_counted(tmp_path, source, prefix, key):
    """Wherever a wrapper, a compiler or averaging put the encoder in the file."""
    state = source.state_dict()
    path = save(tmp_path / 'x.pth', state, prefix, key)
    model, loaded = load(path)
    assert_loaded(model, state)
    assert len(model.state_dict()) == DENSE
    assert loaded.warning == ''
    assert loaded.summary == (
        f'Loaded {DENSE}/{DENSE} tensors of ConvViT from {path}, '
        f'6 used in pre-training only left out, sha256 {sha256(path)}.'
    )


def test_counters_of_averages_are_no_weights(tmp_path, source):
    """Mmengine's and torch's averaged models count their steps beside the weights."""
    state = {f'module.{k}': v for k, v in source.state_dict().items()}
    counters = dict(steps=torch.tensor(3), n_averaged=torch.tensor(3))
    torch.save(dict(ema_state_dict=state | counters), tmp_path / 'x.pth')
    model, _ = load(tmp_path / 'x.pth')
    assert_loaded(model, source.state_dict())


def test_the_masked_encoder_takes_everything(tmp_path, source):
    """Loaded into pre-training again, fusion and norm are used too."""
    path = save(tmp_path / 'x.pth', source.state_dict())
    model, loaded = load(path, toys.masked_conv_vit)
    assert_loaded(model, source.state_dict())
    assert f'Loaded {DENSE + 6}/{DENSE + 6} tensors of MaskedConvViT' in loaded.summary
    assert 'left out' not in loaded.summary


def test_grey_and_other_sizes_load(tmp_path, source):
    """Input channels are folded and positions resized, all else is as saved."""
    path, state = save(tmp_path / 'x.pth', source.state_dict()), source.state_dict()
    model, _ = load(path, in_channels=1, img_size=96)
    folded = state['patch_embed1.proj.weight'].sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.patch_embed1.proj.weight.data, folded)
    assert model.pos_embed.shape == (1, 36, 16)
    assert torch.equal(model.patch_embed4.weight, state['patch_embed4.weight'])


@pytest.mark.parametrize('strict', ['exact', 'warn'])
def test_what_fine_tuning_adds_starts_fresh(tmp_path, source, strict):
    """All that the file has is loaded, what is new keeps its start and is counted."""
    path = save(tmp_path / 'x.pth', source.state_dict())
    options = dict(window_size=2, global_blocks=(1,), rel_pos_bias=True)
    options |= dict(layer_scale=True, f4_downsample='conv')
    torch.manual_seed(1)
    start = toys.conv_vit(**options).state_dict()
    torch.manual_seed(1)
    model, loaded = load(path, strict=strict, **options)
    assert_loaded(model, start | source.state_dict())
    new = start.keys() - source.state_dict().keys()
    counted = sum(not name.endswith('num_batches_tracked') for name in new)
    assert loaded.warning == ''
    assert f'Loaded {DENSE}/{len(start)} tensors' in loaded.summary
    assert f'{len(new)} used in fine-tuning only start fresh, sha256' in loaded.summary
    assert counted >= 4 + 1 + 5


def test_a_file_with_layer_scale_loads_into_it(tmp_path):
    """A fine-tuned encoder's factors are taken where the model has a place for them."""
    source = toys.stir(toys.conv_vit(layer_scale=True))
    path = save(tmp_path / 'x.pth', source.state_dict(), '', 'model')
    model, _ = load(path, layer_scale=True)
    assert_loaded(model, source.state_dict())


def change(state: dict, name: str, **kwargs) -> dict:
    """A state dict with one tensor taken out, cut, renamed or added."""
    state = dict(state)
    value = state.pop(name, torch.zeros(16))
    if 'to' in kwargs:
        state[kwargs['to']] = value[: kwargs.get('rows')]
    return state


QKV = 'blocks3.1.attn.qkv'


@pytest.mark.parametrize(
    ('changed', 'match'),
    [
        (dict(name=f'{QKV}.bias'), rf'lacks {QKV}.bias: '),
        (dict(name='new', to='blocks3.7.norm1.bias'), 'has,.* blocks3.7.norm1.bias: '),
        *(
            (dict(name=name, to=name, rows=-1), rf'has {name} \(.*instead of \(')
            for name in ('patch_embed4.weight', 'blocks1.0.attn.weight')
        ),
        (
            dict(name=f'{QKV}.weight', to=f'{QKV}_w'),
            f'lacks {QKV}.weight; has,.* {QKV}_w: a renamed tensor: {QKV}_w',
        ),
        (dict(name='new', to='head.fc.weight'), 'head.fc.weight: a full model'),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, source, changed, match):
    """Missing, unexpected, mismatched or renamed: file and tensor, before training."""
    path = save(tmp_path / 'odd.pth', change(source.state_dict(), **changed))
    with pytest.raises(DuGIError, match=f'odd.pth does not fit ConvViT: .*{match}'):
        load(path)


@pytest.mark.parametrize(
    ('arch', 'match'),
    [
        (dict(embed_dims=(8, 16, 16)), 'instead of.*wrong arch'),
        (dict(depths=(1, 1, 3)), r'lacks blocks3\.2.* and 9 more.*wrong arch'),
    ],
)
def test_another_arch_is_refused(tmp_path, source, arch, match):
    """Another width is told apart from another number of blocks, in one line."""
    path = save(tmp_path / 'x.pth', source.state_dict())
    with pytest.raises(DuGIError, match=f'x.pth .*{match}') as caught:
        load(path, arch=toys.ARCH | arch)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('prefix', 'cause'),
    [
        ('encoder.', "wrong prefix: .* below 'encoder.'"),
        ('x', 'another network'),
    ],
)
def test_a_wrong_prefix_is_named(tmp_path, source, prefix, cause):
    """Where the encoder lies in the file, if it lies there."""
    path = save(tmp_path / 'x.pth', source.state_dict(), prefix)
    with pytest.raises(DuGIError, match=cause) as caught:
        load(path)
    assert '\n' not in str(caught.value)


def test_levels_of_strict(tmp_path, source):
    """``complete`` lets the file hold more; ``warn`` loads what fits and says so."""
    state = source.state_dict()
    path = save(tmp_path / 'more.pth', {**state, 'head.fc.weight': torch.zeros(2)})
    model, loaded = load(path, strict='complete')
    assert_loaded(model, state)
    assert loaded.warning == ''
    del state['blocks3.1.mlp.fc1.weight']
    state['patch_embed4.weight'] = torch.zeros(2, 2)
    path = save(tmp_path / 'less.pth', state)
    with pytest.raises(DuGIError, match='lacks blocks3.1.*has patch_embed4.weight'):
        load(path, strict='complete')
    model, loaded = load(path, strict='warn')
    assert torch.equal(model.pos_embed, state['pos_embed'])
    assert 'less.pth does not fit ConvViT' in loaded.warning
    assert f'Loaded {DENSE - 2}/{DENSE} tensors' in loaded.summary
    with pytest.raises(DuGIError, match="strict='exakt' .*did you mean 'exact'"):
        load(path, strict='exakt')


def test_the_sum_is_verified_and_computed_once(tmp_path, source, monkeypatch):
    """One reading of a large file, for the sum that is asked for, the name and the log.

    A name that is not ours may end with any eight digits.
    """
    count = []

    def counted(path):
        count.append(path)
        return sha256(path)

    for module in (io, pretrained):
        monkeypatch.setattr(module, 'file_sha256', counted)
    path = save(tmp_path / 'model-10000000.pth', source.state_dict())
    load(path, sha256=sha256(path).upper())
    with pytest.raises(DuGIError, match=f'has sha256 {sha256(path)}, not 00'):
        load(path, sha256='00' * 32)
    path = path.rename(tmp_path / f'dugi-mae_tiny-{sha256(path)[:8]}.pth')
    load(path, sha256=sha256(path))
    assert len(count) == 3
    path = path.rename(tmp_path / 'dugi-mae_tiny-00000000.pth')
    with pytest.raises(DuGIError, match='its name says 00000000'):
        load(path)


def published_state(source: MaskedConvViT) -> dict:
    """The encoder among the rest of a published DuGI-MAE file."""
    return {
        **source.state_dict(),
        **MaskedDecoder(16, 12, 2, 3, img_size=64).state_dict(),
        'patch_embed.proj.weight': torch.zeros(16, 3, 16, 16),
        'patch_embed.proj.bias': torch.zeros(16),
        'var_ffns.0.weight': torch.zeros(3),
    }


@pytest.mark.parametrize('make', [toys.conv_vit, toys.masked_conv_vit])
@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_published_files_load_as_they_are(tmp_path, source, make, ending):
    """Key ``model``, decoder and the rest beside the encoder: no conversion before."""
    state, path = published_state(source), tmp_path / f'published.{ending}'
    if ending == 'pth':
        torch.save(dict(model=state, args=argparse.Namespace(lr=1e-3)), path)
    else:
        save_file(state, path)
    assert_loaded(load(path, make)[0], state)


def test_layer_scale_of_a_published_file_is_folded(tmp_path, source):
    """A fine-tuned MCMAE encoder is converted while it is loaded."""
    state, path = published_state(source), tmp_path / 'x.pth'
    state['blocks3.0.gamma_1'] = torch.full((16,), 2.0)
    model, _ = load(save(path, state, '', 'model'))
    torch.testing.assert_close(
        model.blocks3[0].attn.proj.weight.data, 2 * state['blocks3.0.attn.proj.weight']
    )
    state['blocks3.0.gamma_1'] = torch.ones(3)
    with pytest.raises(DuGIError, match=r'x.pth: blocks3.0.gamma_1 is \(3,\)'):
        load(save(path, state, '', 'model'))
