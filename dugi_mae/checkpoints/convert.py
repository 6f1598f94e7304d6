"""From published MCMAE, InfMAE and DuGI-MAE checkpoints to ours, nothing left over.

Their parameter names are nearly ours. What this module adds is the certainty that every
tensor of the file was used or left out for a reason that is told.
"""

from __future__ import annotations

import re
import warnings
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dugi_mae.checkpoints.published import PublishedModel, describe
from dugi_mae.errors import DuGIError, check_choice, shorten
from dugi_mae.models import (
    ConvViT,
    DualDomainGuidance,
    EntropyMasking,
    MaskedConvViT,
    MaskedDecoder,
)

TARGETS = ('backbone', 'pretrain')

_RELATIVE_TABLE = '*relative_position_bias_table'

#: What a target has no use for: pattern of published names -> why.
DROPPED = {
    'backbone': {
        'decoder*': 'decoder, used in pre-training only',
        'mask_token': 'decoder, used in pre-training only',
        'stage*_output_decode.*': 'multi-scale fusion, used in pre-training only',
        'patch_embed.proj.*': 'scores tokens for the masking, in pre-training only',
        'var_*': "the released code's guidance, used in pre-training only",
        'norm.*': 'final norm: the feature maps are taken before it',
        '*relative_position_index': 'no weight: it follows from the window size',
        _RELATIVE_TABLE: 'relative position bias, all zeros: it adds nothing',
    },
    'pretrain': {
        'var_*': "the released code's guidance: ours is another network",
    },
}

#: LayerScale of a fine-tuned MCMAE, and the layer whose output it scales.
_LAYER_SCALE = {'gamma_1': 'attn.proj', 'gamma_2': 'mlp.fc2'}


class Conversion(NamedTuple):
    """A converted state dict and what became of every tensor.

    Attributes:
        source: What the published file is.
        state_dict: Ours.
        mapped: Published name -> our name.
        folded: Published name of a LayerScale -> the layer it was multiplied into.
        dropped: Published name -> the pattern of :data:`DROPPED` it fell under.
        fresh: Our names that the file has nothing for: the guidance, newly drawn.
    """

    source: PublishedModel
    state_dict: dict[str, Tensor]
    mapped: dict[str, str]
    folded: dict[str, str]
    dropped: dict[str, str]
    fresh: list[str]


def convert_state_dict(
    state_dict: dict[str, Tensor], target: str = 'backbone'
) -> Conversion:
    """Map a published state dict to ours.

    Args:
        state_dict: Tensors under their published names.
        target: ``'backbone'`` for :class:`~dugi_mae.models.ConvViT`, ``'pretrain'`` for
            a :class:`~dugi_mae.models.DuGIMAE` with ``MaskedConvViT`` and decoder. A
            DuGI-MAE file gets a newly drawn guidance there, with a warning.

    Raises:
        DuGIError: If a tensor is unknown, missing or of the wrong shape, or cannot be
            left out without changing the result.
    """
    check_choice('target', target, TARGETS)
    _refuse_whole_models(state_dict)
    source = describe(state_dict)
    if target == 'pretrain' and not source.decoder_width:
        raise DuGIError(
            'the file has no decoder (decoder_embed.weight and the rest): it is an '
            'encoder alone, convert it with --to backbone'
        )
    state_dict, folded = (
        _fold_layer_scale(state_dict, source.arch.embed_dims[2])
        if target == 'backbone'
        else (state_dict, {})
    )
    model = _target_model(source, target)
    expected = {key: tensor.shape for key, tensor in model.state_dict().items()}
    mapped, dropped, unknown = {}, {}, []
    for key in state_dict:
        name = _our_name(key, target)
        pattern = next((p for p in DROPPED[target] if fnmatchcase(key, p)), None)
        if name in expected:
            mapped[key] = name
        elif pattern is not None:
            dropped[key] = pattern
        else:
            unknown.append(key)
    _refuse(
        unknown,
        'the file has {}, which no rule maps or drops: it is no published checkpoint '
        'as this converter knows it',
    )
    _refuse(
        [k for k, p in dropped.items() if p == _RELATIVE_TABLE and state_dict[k].any()],
        'the file has a trained relative position bias, {}, which ConvViT has no place '
        'for: convert the pre-training file it started from',
    )
    _refuse(
        [_published_name(k, target) for k in expected if k not in mapped.values()],
        'the file lacks {}: it is incomplete, get it again',
    )
    _refuse(
        [
            f'{key} {tuple(state_dict[key].shape)} instead of {tuple(expected[name])}'
            for key, name in mapped.items()
            if state_dict[key].shape != expected[name]
        ],
        'the file has {}: the shapes do not fit together, get the file again',
    )
    result = {name: state_dict[key] for key, name in mapped.items()}
    fresh = {}
    if target == 'pretrain' and source.kind == 'DuGI-MAE':
        fresh = _fresh_guidance(source)
        warnings.warn(
            f'the guidance starts fresh: {len(fresh)} tensors guidance.* are newly '
            "drawn, because the released code's guidance is another network",
            stacklevel=2,
        )
    result.update(fresh)
    return Conversion(source, result, mapped, folded, dropped, list(fresh))


def _refuse_whole_models(state_dict: dict[str, Tensor]) -> None:
    """Tell a model around an encoder apart from a published file."""
    stem = 'patch_embed1.proj.weight'
    key = next((k for k in state_dict if k.endswith('.' + stem)), None)
    if key is None:
        return
    what = 'a fine-tuned model: convert the pre-training file it started from'
    if any(k.startswith('neck.decoder_embed.') for k in state_dict):
        what = 'a checkpoint of dugi_mae already: use it as it is'
    raise DuGIError(
        f"the encoder lies below '{key.removesuffix(stem)}', so the file is {what}"
    )


def _our_name(key: str, target: str) -> str:
    if target == 'backbone':
        return key
    if key.startswith('patch_embed.'):
        return f'masking.{key}'
    if key.startswith(('decoder', 'mask_token')):
        return f'neck.{key}'
    return f'backbone.{key}'


def _published_name(name: str, target: str) -> str:
    return name if target == 'backbone' else name.partition('.')[2]


def _target_model(source: PublishedModel, target: str) -> nn.Module:
    """Our model of the source's sizes, without memory for its weights."""
    arch = source.arch._asdict()
    with torch.device('meta'):
        if target == 'backbone':
            return ConvViT(arch, source.in_channels, img_size=source.img_size)
        parts = dict(
            backbone=MaskedConvViT(arch, source.in_channels, source.img_size),
            neck=MaskedDecoder(
                source.arch.embed_dims[2],
                source.decoder_width,
                source.decoder_depth,
                decoder_num_heads=1,  # has no part in any shape
                out_channels=source.in_channels,
                img_size=source.img_size,
            ),
        )
        # How it scores has no part in any shape either.
        if source.kind != 'MCMAE':
            parts['masking'] = EntropyMasking(
                estimator='softmax',
                embed_dims=source.arch.embed_dims[2],
                in_channels=source.in_channels,
            )
        return nn.ModuleDict(parts)


def _fold_layer_scale(
    state_dict: dict[str, Tensor], width: int
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Multiply LayerScale into the layer before it, which changes no result.

    Returns:
        The state dict without LayerScale, and published name -> layer.
    """
    result, folded = dict(state_dict), {}
    for key, gamma in state_dict.items():
        found = re.fullmatch(r'(blocks3\.\d+)\.(gamma_[12])', key)
        if not found:
            continue
        layer = f'{found[1]}.{_LAYER_SCALE[found[2]]}'
        if gamma.shape != (width,):
            raise DuGIError(
                f'{key} is {tuple(gamma.shape)}, expected ({width},): it is no '
                'LayerScale of this encoder, get the file again'
            )
        del result[key]
        folded[key] = layer
        for part in (f'{layer}.weight', f'{layer}.bias'):
            # A missing or wrongly shaped layer is named by the check that follows.
            if part in result and result[part].shape[:1] == (width,):
                scale = gamma.view(-1, *[1] * (result[part].dim() - 1))
                result[part] = result[part] * scale
    return result, folded


def _refuse(names: list[str], message: str) -> None:
    """Raise with the names put into the message, if there are any."""
    if names:
        raise DuGIError(message.format(shorten(names)))


def _fresh_guidance(source: PublishedModel) -> dict[str, Tensor]:
    """Newly drawn guidance, the same for the same sizes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        guidance = DualDomainGuidance(
            source.arch.embed_dims[2],
            source.arch.num_heads,
            in_channels=source.in_channels,
        )
    return {f'guidance.{k}': v for k, v in guidance.state_dict().items()}
