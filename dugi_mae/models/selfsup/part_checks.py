"""Parts of a pre-training model that cannot work together, found when it is built."""

from __future__ import annotations

import math
import reprlib
from functools import reduce

from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.ops.masking import num_visible

#: Setting in the config -> where a part keeps it. The first of each group that a model
#: has sets what the others must be.
_WIDTHS = {
    'backbone.arch.embed_dims[-1]': ('backbone.arch.embed_dims', -1),
    'backbone.embed_dims': ('backbone.embed_dims', None),
    'guidance.embed_dims': ('guidance.afdm.patch_embed.proj.out_channels', None),
    'neck.embed_dims': ('neck.decoder_embed.in_features', None),
}
_CHANNELS = {
    'backbone.in_channels': ('backbone.in_channels', None),
    'masking.in_channels': ('masking.patch_embed.proj.in_channels', None),
    'guidance.in_channels': ('guidance.afdm.patch_embed.proj.in_channels', None),
    'head.in_channels': ('head.in_channels', None),
}
_PATCH_SIZES = {
    'backbone.patch_size': ('backbone.patch_size', None),
    'masking.patch_size': ('masking.patch_size', None),
    'guidance.patch_size': ('guidance.afdm.patch_size', None),
    'head.patch_size': ('head.patch_size', None),
}

_EXTRA_TOKENS = {
    f'{part}.num_extra_tokens': (f'{part}.num_extra_tokens', None)
    for part in ('backbone', 'guidance', 'neck')
}


def check_parts(model: nn.Module) -> None:
    """Compare the sizes that the parts of a pre-training model share.

    A part that does not have one of these settings, such as one of a user's own, is
    not asked for it.

    Args:
        model: With ``masking``, ``backbone``, ``guidance``, ``neck`` and ``head``.

    Raises:
        DuGIError: If two parts do not fit together, or the mask ratio does not go with
            the number of tokens; the message names the key and the value that fits.
    """
    for what, group in (
        ('tokens', _WIDTHS),
        ('images', _CHANNELS),
        ('patches', _PATCH_SIZES),
        ('extra tokens', _EXTRA_TOKENS),
    ):
        found = {key: _look_up(model, *where) for key, where in group.items()}
        found = {key: value for key, value in found.items() if isinstance(value, int)}
        first = next(iter(found), None)
        for key, value in found.items():
            if value != found[first]:
                raise DuGIError(
                    f'model.{key}={value} does not go with model.{first}='
                    f'{found[first]}: both are of the same {what}, set model.{key}='
                    f'{found[first]}'
                )
    _check_prediction(model)
    _check_channels(model)
    grid, ratio = (
        _look_up(model, 'backbone.pos_grid'),
        _look_up(model, 'masking.mask_ratio'),
    )
    if grid and ratio:
        try:
            num_visible(math.prod(grid), ratio)
        except DuGIError as error:
            raise DuGIError(
                f'model.masking.{error}, or a larger model.backbone.img_size'
            ) from None


def check_statistics(cfg: dict) -> None:
    """Raise unless mean and standard deviation can normalise an image.

    Args:
        cfg: Config of a data preprocessor.

    Raises:
        DuGIError: If they are no lists of 1 or 3 numbers, or only one is there.
    """
    for key, other in (('mean', 'std'), ('std', 'mean')):
        values = cfg.get(key)
        if values is None and cfg.get(other) is None:
            continue
        fine = isinstance(values, (list, tuple)) and len(values) in (1, 3)
        if not fine or not all(_is_statistic(v, key == 'std') for v in values):
            above = ' above 0' if key == 'std' else ''
            raise DuGIError(
                f'model.data_preprocessor.{key}={reprlib.repr(values)}: give 1 or 3 '
                f'numbers{above}, as many as {other} has, in units of grey values'
            )
    mean, std = (cfg.get(key) for key in ('mean', 'std'))
    if mean is not None and len(mean) != len(std):
        raise DuGIError(
            f'model.data_preprocessor.mean={list(mean)} and std={list(std)}: give as '
            'many numbers of each'
        )


def _is_statistic(value: object, is_std: bool) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and (0 if is_std else -1e9) < value < 1e9


def _check_channels(model: nn.Module) -> None:
    """Images are normalised by one number, or by one for each channel."""
    mean = _look_up(model, 'data_preprocessor.mean')
    channels = _look_up(model, 'backbone.in_channels')
    if mean is not None and channels and len(mean) not in (1, channels):
        raise DuGIError(
            f'model.data_preprocessor.mean has {len(mean)} numbers and model.backbone.'
            f'in_channels={channels}: give 1 or {channels}, and so for std'
        )


def _check_prediction(model: nn.Module) -> None:
    """The neck must paint as many pixels a token as the head compares."""
    painted = _look_up(model, 'neck.decoder_pred.out_features')
    side, channels = (
        _look_up(model, f'head.{k}') for k in ('patch_size', 'in_channels')
    )
    if None not in (painted, side, channels) and painted != side**2 * channels:
        raise DuGIError(
            f'model.neck predicts {painted} numbers a token, model.head compares '
            f'{side}x{side} pixels of {channels} channels: set model.neck.patch_size='
            f'{side} and model.neck.out_channels={channels}'
        )


def _look_up(model: nn.Module, path: str, index: int | None = None) -> object:
    """An attribute of an attribute, or ``None`` where there is none."""
    value = reduce(lambda part, name: getattr(part, name, None), path.split('.'), model)
    return value if index is None or value is None else value[index]
