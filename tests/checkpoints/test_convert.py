"""Published state dicts become ours completely, or the tensor at fault is named."""

from __future__ import annotations

import warnings

import pytest
import torch
from published import Published

from dugi_mae import create_pretrainer
from dugi_mae.checkpoints.convert import TARGETS, convert_state_dict
from dugi_mae.checkpoints.published import describe, read_published
from dugi_mae.errors import DuGIError
from dugi_mae.models import (
    ConvViT,
    DualDomainGuidance,
    EntropyMasking,
    GreyValueMasking,
    RandomMasking,
)
from dugi_mae.models.backbones.arch import ARCHS

KINDS = {
    'DuGI-MAE': EntropyMasking(estimator='softmax'),
    'InfMAE': GreyValueMasking(score='embedding'),
    'MCMAE': RandomMasking(),
}
BASE = dict(widths=(256, 384, 768), depths=(2, 2, 11), grid=14, decoder=512)
#: One tensor of every kind of module, the ones that tell the sizes among them.
VICTIMS = [
    'pos_embed',
    'patch_embed1.proj.weight',
    'patch_embed2.proj.weight',
    'patch_embed3.norm.weight',
    'blocks1.0.attn.weight',
    'blocks2.1.mlp.fc1.bias',
    'blocks3.0.attn.qkv.weight',
]
PRETRAINING_VICTIMS = [
    'stage1_output_decode.weight',
    'decoder_embed.bias',
    'decoder_pred.weight',
    'decoder_pos_embed',
    'mask_token',
]


def published(kind: str) -> dict[str, torch.Tensor]:
    """Random weights in a published layout."""
    return {k: v.detach() for k, v in Published(kind).state_dict().items()}


def layout(kind: str, **size) -> dict[str, torch.Tensor]:
    """Names and shapes of a published layout, without memory."""
    with torch.device('meta'):
        return Published(kind, **size).state_dict()


def convert(state: dict, target: str = 'backbone'):
    """Convert; the warning about the guidance has its own test."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'the guidance starts fresh')
        return convert_state_dict(state, target)


@pytest.mark.parametrize('kind', KINDS)
def test_every_tensor_is_used_unchanged_or_dropped(kind):
    """Fine-tuning leaves out pre-training's parts, pre-training foreign guidance."""
    state = published(kind)
    only_pretraining = 'decoder', 'mask_token', 'stage', 'norm.', 'patch_embed.'
    unused = dict(backbone=(*only_pretraining, 'var_'), pretrain=('var_',))
    for target in TARGETS:
        result = convert(state, target)
        assert result.source.kind == kind
        assert set(result.dropped) == {k for k in state if k.startswith(unused[target])}
        assert set(result.mapped) == set(state) - set(result.dropped)
        for key, name in result.mapped.items():
            assert torch.equal(result.state_dict[name], state[key]), key
        assert {*result.mapped.values(), *result.fresh} == set(result.state_dict)


@pytest.mark.parametrize('kind', KINDS)
def test_base_layout_is_that_of_our_models(kind):
    """At full size: names and shapes of our model, arch recognised by name."""
    state = layout(kind, **BASE)
    source = describe(state)
    assert (source.arch, source.arch_text) == (ARCHS['base'], "'base'")
    assert (source.in_channels, source.img_size) == (3, 224)
    assert (source.decoder_width, source.decoder_depth) == (
        512,
        8 if kind == 'MCMAE' else 2,
    )
    depth, guided = source.decoder_depth, kind == 'DuGI-MAE'
    with torch.device('meta'):
        models = dict(
            pretrain=create_pretrainer(
                'base', masking=KINDS[kind], guidance=guided, decoder_depth=depth
            ),
            backbone=ConvViT('base'),
        )
    for target, model in models.items():
        found = convert(state, target).state_dict
        assert {k: v.shape for k, v in found.items()} == {
            k: v.shape for k, v in model.state_dict().items()
        }
    encoder = sum(v.numel() for k, v in found.items() if not k.startswith('pos_embed'))
    assert 84.4e6 < encoder < 84.6e6


@pytest.mark.parametrize('name', list(ARCHS))
def test_named_archs_are_recognised(name):
    """tiny, small, base and large by their shapes, others as a dict."""
    arch = ARCHS[name]
    size = dict(widths=arch.embed_dims, depths=arch.depths, grid=14)
    source = describe(layout('MCMAE', **size))
    assert source.arch == arch and source.arch_text == repr(name)
    toy = describe(published('MCMAE'))
    assert toy.arch_text == (
        'dict(embed_dims=(8, 12, 16), depths=(1, 2, 2), num_heads=1, mlp_ratio=4.0)'
    )


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('name', ['blocks3.0.norm3.weight', 'cls_token', 'head.bias'])
def test_an_unknown_tensor_is_named(target, name):
    """Nothing unexpected is passed over."""
    state = {**published('DuGI-MAE'), name: torch.zeros(3)}
    with pytest.raises(DuGIError, match=f'the file has {name}, which no rule maps'):
        convert(state, target)


@pytest.mark.parametrize('target', TARGETS)
def test_a_missing_or_wrongly_shaped_tensor_is_named(target):
    """By its published name, and told apart from a model of another size."""
    state = published('InfMAE')
    for name in VICTIMS + PRETRAINING_VICTIMS * (target == 'pretrain'):
        less = {k: v for k, v in state.items() if k != name}
        with pytest.raises(DuGIError, match=f'the file lacks {name}: it is incomplete'):
            convert(less, target)
        good = tuple(state[name].shape)
        for axis in {0, len(good) - 1}:
            bad = torch.cat([state[name]] * 2, dim=axis)
            match = rf'has {name} \({bad.shape[0]}, ?.*instead of \({good[0]}, ?'
            with pytest.raises(DuGIError, match=match) as caught:
                convert({**state, name: bad}, target)
            assert str(caught.value).count('instead of') == 1
            assert '\n' not in str(caught.value)


def test_guidance_starts_fresh_with_a_warning():
    """DuGI-MAE's own guidance is left out, ours is drawn: the same every time."""
    state = published('DuGI-MAE')
    before = torch.random.get_rng_state()
    with pytest.warns(UserWarning, match='the guidance starts fresh: 58 tensors'):
        result = convert_state_dict(state, 'pretrain')
    assert torch.equal(torch.random.get_rng_state(), before)
    want = DualDomainGuidance(16, 2).state_dict()
    assert result.fresh == [f'guidance.{k}' for k in want]
    again = convert(state, 'pretrain').state_dict
    assert all(torch.equal(result.state_dict[k], again[k]) for k in result.fresh)
    for kind in ('InfMAE', 'MCMAE'):
        assert convert(published(kind), 'pretrain').fresh == []


def fine_tuned() -> dict[str, torch.Tensor]:
    """An encoder as MCMAE's fine-tuning leaves it, its extras without effect yet."""
    drop = ('decoder', 'mask_token', 'stage', 'norm.')
    state = {k: v for k, v in published('MCMAE').items() if not k.startswith(drop)}
    for i in range(2):
        name = f'blocks3.{i}.attn.relative_position'
        state[f'{name}_bias_table'] = torch.zeros(7 * 7, 2)
        state[f'{name}_index'] = torch.arange(256).view(16, 16)
        state |= {f'blocks3.{i}.gamma_{j}': torch.ones(16) for j in (1, 2)}
    for name in ('windowed_rel_pos_bias', 'global_rel_pos_bias'):
        state[f'{name}.relative_position_bias_table'] = torch.zeros(9, 2)
        state[f'{name}.relative_position_index'] = torch.zeros(4, 4).long()
    return state


def test_layer_scale_is_multiplied_in():
    """The scaled layers give what LayerScale made of their output."""
    state = fine_tuned()
    for key in state:
        if '.gamma_' in key:
            state[key] = torch.randn(16)
    result = convert(state)
    assert result.folded == {
        f'blocks3.{i}.gamma_{j}': f'blocks3.{i}.{layer}'
        for i in (0, 1)
        for j, layer in ((1, 'attn.proj'), (2, 'mlp.fc2'))
    }
    assert {*result.mapped, *result.folded, *result.dropped} == set(state)
    for gamma, layer in result.folded.items():
        weight, bias = state[f'{layer}.weight'], state[f'{layer}.bias']
        x = torch.randn(5, weight.shape[1])
        want = state[gamma] * (x @ weight.T + bias)
        weight, bias = (result.state_dict[f'{layer}.{p}'] for p in ('weight', 'bias'))
        torch.testing.assert_close(x @ weight.T + bias, want, rtol=0, atol=1e-5)


def test_untrained_relative_positions_are_dropped_and_trained_ones_refused():
    """A table of zeros adds nothing; a trained one must not vanish in silence."""
    state = fine_tuned()
    dropped = convert(state).dropped
    assert set(dropped) == {k for k in state if 'relative_position' in k}
    for key in [k for k in dropped if k.endswith('table')]:
        trained = {**state, key: state[key] + 0.1}
        match = f'trained relative position bias, {key}, which ConvViT has no place'
        with pytest.raises(DuGIError, match=match):
            convert(trained)


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        ({'blocks3.0.gamma_1': torch.ones(8)}, r'gamma_1 is \(8,\), expected \(16,\)'),
        ({'blocks3.0.gamma_3': torch.ones(16)}, 'has blocks3.0.gamma_3, which no rule'),
    ],
)
def test_other_layer_scales_are_refused(change, match):
    """Only what is known as MCMAE's LayerScale is taken for it."""
    with pytest.raises(DuGIError, match=match):
        convert({**fine_tuned(), **change})


def test_a_fine_tuned_encoder_is_no_pretraining_model():
    """Without a decoder the other target is suggested."""
    with pytest.raises(DuGIError, match='no decoder .* --to backbone'):
        convert(fine_tuned(), 'pretrain')


@pytest.mark.parametrize(
    ('prefix', 'extra', 'match'),
    [
        ('backbone.', 'neck.decoder_embed.weight', 'of dugi_mae already: use it as'),
        ('backbone.', 'decode_head.conv_seg.weight', "below 'backbone.'.*fine-tuned"),
    ],
)
def test_full_models_are_told_apart(prefix, extra, match):
    """A model around an encoder is no published file; ours needs no conversion."""
    state = {prefix + k: v for k, v in published('MCMAE').items()}
    with pytest.raises(DuGIError, match=match):
        convert({**state, extra: torch.zeros(1)})


def test_other_models_are_refused():
    """A ResNet, or an encoder that lacks a stage, is not of this family."""
    with pytest.raises(DuGIError, match='is no MCMAE, .* it has no patch_embed1'):
        convert({'conv1.weight': torch.zeros(2)})
    no_blocks = {k: v for k, v in published('MCMAE').items() if 'blocks2' not in k}
    with pytest.raises(DuGIError, match='it has no blocks2'):
        convert(no_blocks)


def test_unknown_target():
    """The target is checked by name."""
    with pytest.raises(DuGIError, match="did you mean 'backbone'"):
        convert(published('MCMAE'), 'backbon')


@pytest.mark.parametrize('key', ['model', 'state_dict', None])
def test_published_files_are_read(tmp_path, key):
    """Under ``model`` as published, under ``state_dict``, or bare."""
    state = {'a': torch.arange(3.0)}
    torch.save(state if key is None else {key: state, 'epoch': 3}, tmp_path / 'x.pth')
    assert torch.equal(read_published(tmp_path / 'x.pth')['a'], state['a'])
