"""``DuGIPretrained``: an encoder is loaded completely or not at all."""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import WEIGHT_INITIALIZERS
from safetensors.torch import save_file

from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT, MaskedConvViT, MaskedDecoder
from dugi_mae.models.backbones import DuGIPretrained

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
# pos_embed, 3 patch embeddings of 4, a Linear of 2, 2 conv blocks of 14, 2 ViT blocks
# of 12.
DENSE = 1 + 3 * 4 + 2 + 2 * 14 + 2 * 12


class Payload:
    """An object whose unpickling makes a folder."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def log():
    """The messages of mmengine's current logger."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.fixture
def pretrained() -> MaskedConvViT:
    """An encoder as pre-training leaves it."""
    model = MaskedConvViT(ARCH, img_size=64)
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
    return model


def save(path, state: dict, prefix: str = 'backbone.', key: str = 'state_dict') -> str:
    """Write a state dict the way a runner does."""
    state = {prefix + k: v for k, v in state.items()}
    if prefix:
        state['neck.decoder_embed.weight'] = torch.zeros(2, 2)
    torch.save({key: state} if key else state, path)
    return str(path)


def sha256(path: str) -> str:
    """What ``sha256sum`` prints."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def load(checkpoint, cls=ConvViT, strict='exact', digest=None, **kwargs):
    """Build and initialise an encoder from a file."""
    init_cfg = dict(
        type='DuGIPretrained', checkpoint=checkpoint, strict=strict, sha256=digest
    )
    model = cls(**{'arch': ARCH, 'img_size': 64, 'init_cfg': init_cfg, **kwargs})
    model.init_weights()
    return model


@pytest.mark.parametrize(
    ('prefix', 'key'),
    [('backbone.', 'state_dict'), ('', 'model'), ('', None), ('backbone.', None)],
)
def test_full_load_is_counted(tmp_path, pretrained, log, prefix, key):
    """Every tensor of the dense encoder is loaded, and the log says how many."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict(), prefix, key)
    model = load(path)
    state = pretrained.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert len(model.state_dict()) == DENSE
    [line] = [m for m in log if m.startswith('Loaded')]
    assert line == (
        f'Loaded {DENSE}/{DENSE} tensors of ConvViT from {path}, '
        f'6 used in pre-training only left out, sha256 {sha256(path)}.'
    )


def test_the_masked_encoder_takes_everything(tmp_path, pretrained, log):
    """Loaded into pre-training again, fusion and norm are used too."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    model = load(path, MaskedConvViT)
    for name, value in model.state_dict().items():
        assert torch.equal(value, pretrained.state_dict()[name]), name
    total = DENSE + 6
    assert (
        f'Loaded {total}/{total} tensors of MaskedConvViT from {path}, sha256 '
        f'{sha256(path)}.'
    ) in log


def test_grey_and_other_sizes_load(tmp_path, pretrained):
    """Input channels are folded and positions resized, all else is as saved."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    model = load(path, in_channels=1, img_size=96)
    state = pretrained.state_dict()
    folded = state['patch_embed1.proj.weight'].sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.patch_embed1.proj.weight.data, folded)
    assert model.pos_embed.shape == (1, 36, 16)
    assert torch.equal(model.patch_embed4.weight, state['patch_embed4.weight'])


def test_relative_position_bias_starts_fresh(tmp_path, pretrained, log):
    """Pre-training has no bias: it starts at zero, and the log says so."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    model = load(path, window_size=2, global_blocks=(1,), rel_pos_bias=True)
    assert not model.blocks3[0].attn.rel_pos_bias.any()
    assert torch.equal(
        model.blocks3[0].attn.qkv.weight, pretrained.blocks3[0].attn.qkv.weight
    )
    [line] = [m for m in log if m.startswith('Loaded')]
    assert f'Loaded {DENSE}/{DENSE + 1} tensors' in line
    assert '1 used in fine-tuning only start fresh, sha256' in line


def test_registered_in_the_root(tmp_path, pretrained):
    """Configs of mmdet and mmseg find the type without a prefix."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    initialise = WEIGHT_INITIALIZERS.build(dict(type='DuGIPretrained', checkpoint=path))
    model = ConvViT(ARCH, img_size=64)
    initialise(model)
    assert torch.equal(model.patch_embed4.weight, pretrained.patch_embed4.weight)


@pytest.mark.parametrize('checkpoint', [None, ''])
def test_no_file_named(checkpoint):
    """An unset path names the two ways out instead of training from scratch."""
    with pytest.raises(
        DuGIError, match='no pre-trained file for ConvViT.*--cfg-options'
    ):
        load(checkpoint)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(checkpoint=5), 'DuGIPretrained got checkpoint=5: give the path of a'),
        (dict(checkpoint=['x.pth']), r"got checkpoint=\['x.pth'\]: give the path"),
        (dict(sha256=5), 'DuGIPretrained got sha256=5: give 64 hexadecimal digits'),
    ],
)
def test_what_is_no_text_is_named(kwargs, message):
    """A number for a path or a sum is found before any file is read."""
    with pytest.raises(DuGIError, match=message):
        DuGIPretrained(**kwargs)


def test_a_path_object_names_a_file(tmp_path, pretrained):
    """Scripts may give a :class:`~pathlib.Path`."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    model = ConvViT(ARCH, img_size=64)
    DuGIPretrained(Path(path), sha256=sha256(path))(model)
    assert torch.equal(model.patch_embed4.weight, pretrained.patch_embed4.weight)


def test_a_missing_tensor_is_named(tmp_path, pretrained):
    """A file without a tensor of the model is refused, file and tensor named."""
    state = pretrained.state_dict()
    del state['blocks3.1.attn.qkv.bias']
    path = save(tmp_path / 'short.pth', state)
    with pytest.raises(
        DuGIError,
        match=r'short.pth does not fit ConvViT: it lacks blocks3.1.attn.qkv.bias:',
    ):
        load(path)


def test_a_left_over_tensor_is_named(tmp_path, pretrained):
    """So is a file with a tensor the model has no place for."""
    state = {**pretrained.state_dict(), 'blocks3.7.norm1.bias': torch.zeros(16)}
    path = save(tmp_path / 'long.pth', state)
    with pytest.raises(DuGIError, match=r'long.pth .*it has.* blocks3.7.norm1.bias:'):
        load(path)


@pytest.mark.parametrize('name', ['patch_embed4.weight', 'blocks1.0.attn.weight'])
def test_a_tensor_of_another_shape_is_named(tmp_path, pretrained, name):
    """So is one of another shape, with both shapes."""
    state = pretrained.state_dict()
    state[name] = state[name][:-1]
    path = save(tmp_path / 'odd.pth', state)
    with pytest.raises(DuGIError, match=f'odd.pth does not fit ConvViT: .*{name}'):
        load(path)


def test_several_missing_tensors_are_summed_up(tmp_path, pretrained):
    """Three names and a count keep the message to one line."""
    state = {k: v for k, v in pretrained.state_dict().items() if 'blocks3' not in k}
    path = save(tmp_path / 'short.pth', state)
    with pytest.raises(DuGIError, match='and 21 more') as caught:
        load(path)
    assert '\n' not in str(caught.value)


def test_another_arch_is_refused(tmp_path, pretrained):
    """The arch of pre-training must be used."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    with pytest.raises(DuGIError, match='x.pth .*arch') as caught:
        load(path, arch=dict(ARCH, embed_dims=(8, 16, 16)))
    assert '\n' not in str(caught.value)


def test_a_failed_load_raises_before_training(tmp_path, pretrained):
    """The model of another arch is told apart from one with fewer blocks."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    with pytest.raises(DuGIError, match='lacks blocks3.2'):
        load(path, arch=dict(ARCH, depths=(1, 1, 3)))
    with pytest.raises(DuGIError, match='has, and the model not, blocks3.1'):
        load(path, arch=dict(ARCH, depths=(1, 1, 1)))


def test_a_renamed_tensor_is_named(tmp_path, pretrained):
    """Both names, and that one may be the other."""
    state = pretrained.state_dict()
    state['blocks3.0.attn.qkv_w'] = state.pop('blocks3.0.attn.qkv.weight')
    path = save(tmp_path / 'x.pth', state)
    with pytest.raises(
        DuGIError,
        match=r'lacks blocks3.0.attn.qkv.weight; has, and the model not, '
        r'blocks3.0.attn.qkv_w: a renamed tensor: .*qkv_w may be what',
    ):
        load(path)


@pytest.mark.parametrize(
    ('prefix', 'cause'),
    [
        ('encoder.', "wrong prefix: .* below 'encoder.'"),
        ('model.backbone.', "wrong prefix: .* below 'model.backbone.'"),
        ('x', 'another network'),
    ],
)
def test_a_wrong_prefix_is_named(tmp_path, pretrained, prefix, cause):
    """Where the encoder lies in the file, if it lies there."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict(), prefix)
    with pytest.raises(DuGIError, match=cause) as caught:
        load(path)
    assert '\n' not in str(caught.value)


def test_levels_of_strict(tmp_path, pretrained, log):
    """``complete`` lets the file hold more; ``warn`` loads what fits and says so."""
    state = pretrained.state_dict()
    path = save(tmp_path / 'more.pth', {**state, 'head.fc.weight': torch.zeros(2)})
    with pytest.raises(DuGIError, match='head.fc.weight: a full model instead of'):
        load(path)
    model = load(path, strict='complete')
    assert torch.equal(model.patch_embed4.weight, state['patch_embed4.weight'])
    del state['blocks3.1.mlp.fc1.weight']
    state['patch_embed4.weight'] = torch.zeros(2, 2)
    path = save(tmp_path / 'less.pth', state)
    with pytest.raises(DuGIError, match='lacks blocks3.1.*has patch_embed4.weight'):
        load(path, strict='complete')
    model = load(path, strict='warn')
    assert torch.equal(model.pos_embed, state['pos_embed'])
    assert any('less.pth does not fit ConvViT' in m for m in log)
    assert any(f'Loaded {DENSE - 2}/{DENSE} tensors' in m for m in log)
    with pytest.raises(DuGIError, match="strict='exakt' .*did you mean 'exact'"):
        load(path, strict='exakt')


def test_the_sum_is_verified(tmp_path, pretrained):
    """A file with another SHA-256 than the config names is not loaded."""
    path = save(tmp_path / 'x.pth', pretrained.state_dict())
    load(path, digest=sha256(path).upper())
    with pytest.raises(DuGIError, match=f'x.pth has sha256 {sha256(path)}, not 00'):
        load(path, digest='00' * 32)


def published_state(pretrained) -> dict:
    """The encoder among the rest of a published DuGI-MAE file."""
    decoder = MaskedDecoder(16, 12, 2, 3, img_size=64)
    return {
        **pretrained.state_dict(),
        **decoder.state_dict(),
        'patch_embed.proj.weight': torch.zeros(16, 3, 16, 16),
        'patch_embed.proj.bias': torch.zeros(16),
        'var_ffns.0.weight': torch.zeros(3),
    }


@pytest.mark.parametrize('cls', [ConvViT, MaskedConvViT])
@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_published_files_load_as_they_are(tmp_path, pretrained, cls, ending):
    """Key ``model``, decoder and the rest beside the encoder: no conversion before."""
    state, path = published_state(pretrained), str(tmp_path / f'published.{ending}')
    if ending == 'pth':
        args = argparse.Namespace(lr=1e-3)
        torch.save(dict(model=state, args=args, epoch=399), path)
    else:
        save_file(state, path)
    for name, value in load(path, cls).state_dict().items():
        assert torch.equal(value, state[name]), name


def test_layer_scale_of_a_published_file_is_folded(tmp_path, pretrained):
    """A fine-tuned MCMAE encoder is converted while it is loaded."""
    state = published_state(pretrained)
    state['blocks3.0.gamma_1'] = torch.full((16,), 2.0)
    torch.save(dict(model=state), tmp_path / 'x.pth')
    model = load(str(tmp_path / 'x.pth'))
    torch.testing.assert_close(
        model.blocks3[0].attn.proj.weight.data, 2 * state['blocks3.0.attn.proj.weight']
    )
    state['blocks3.0.gamma_1'] = torch.ones(3)
    torch.save(dict(model=state), tmp_path / 'x.pth')
    with pytest.raises(DuGIError, match=r'x.pth: blocks3.0.gamma_1 is \(3,\)'):
        load(str(tmp_path / 'x.pth'))


def test_missing_and_damaged_files(tmp_path):
    """A path that leads nowhere and a damaged file are named."""
    with pytest.raises(DuGIError, match='nowhere.pth does not exist'):
        load(str(tmp_path / 'nowhere.pth'))
    (tmp_path / 'bad.pth').write_bytes(b'PK not a zip')
    with pytest.raises(DuGIError, match='bad.pth cannot be read safely'):
        load(str(tmp_path / 'bad.pth'))


def test_a_malicious_file_runs_nothing(tmp_path, pretrained):
    """Fine-tuning from a hostile file stops before its code ran."""
    proof = tmp_path / 'it_ran'
    state = {**pretrained.state_dict(), 'evil': Payload(proof)}
    path = save(tmp_path / 'evil.pth', state)
    with pytest.raises(DuGIError, match='evil.pth cannot be read safely'):
        load(path)
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists()
