"""Named sizes of the ConvViT encoder."""

from __future__ import annotations

import math
from typing import NamedTuple

from dugi_mae.errors import DuGIError, check_choice, check_range
from dugi_mae.models.layers.sizes import SIZES


class ConvViTArch(NamedTuple):
    """Size of a ConvViT.

    Attributes:
        embed_dims: Channels of the three stages.
        depths: Blocks of the three stages.
        num_heads: Attention heads of the third stage.
        mlp_ratio: Width of every MLP over its channels.
    """

    embed_dims: tuple[int, int, int]
    depths: tuple[int, int, int]
    num_heads: int
    mlp_ratio: float = 4.0


ARCHS = {
    'tiny': ConvViTArch((64, 128, 192), (2, 2, 11), 3),
    'small': ConvViTArch((128, 256, 384), (2, 2, 11), 6),
    'base': ConvViTArch((256, 384, 768), (2, 2, 11), 12),
    'large': ConvViTArch((384, 768, 1024), (2, 2, 23), 16),
}


def _is_count(value: object) -> bool:
    """Whether a value is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _nearest_count(value: object, most: int) -> int:
    """The whole number from 1 to ``most`` that is nearest to a value of any kind."""
    if not isinstance(value, (int, float)) or value != value:  # nan
        return 1
    return round(min(max(value, 1), most))


def resolve_arch(arch: str | dict) -> ConvViTArch:
    """Look an architecture up, or check one that is given as a dict.

    Args:
        arch: A name of :data:`ARCHS`, or a dict with ``embed_dims``, ``depths``,
            ``num_heads`` and optionally ``mlp_ratio``.

    Raises:
        DuGIError: If the name or a key is unknown, a key is missing or the numbers
            do not fit together.
    """
    if not isinstance(arch, dict):
        check_choice('arch', arch, ARCHS)
        return ARCHS[arch]
    for key in arch:
        check_choice('arch key', key, ConvViTArch._fields)
    missing = [k for k in ('embed_dims', 'depths', 'num_heads') if k not in arch]
    if missing:
        raise DuGIError(
            f'arch dict lacks {", ".join(missing)}: add it, or name one of '
            f'{", ".join(ARCHS)}'
        )
    for key in ('embed_dims', 'depths'):
        numbers = arch[key]
        if not isinstance(numbers, (list, tuple)) or len(numbers) != 3:
            raise DuGIError(
                f'arch {key}={numbers!r}: ConvViT has three stages, give 3 numbers'
            )
        _, most = SIZES[key]
        if not all(_is_count(n) and n <= most for n in numbers):
            nearest = tuple(_nearest_count(n, most) for n in numbers)
            raise DuGIError(
                f'arch {key}={tuple(numbers)!r}: give whole numbers from 1 to {most}, '
                f'such as {nearest}'
            )
    heads, ratio = arch['num_heads'], arch.get('mlp_ratio', 4.0)
    if not _is_count(heads):
        raise DuGIError(f'arch num_heads={heads!r}: give a whole number from 1 on')
    check_range('arch num_heads', heads, 1, arch['embed_dims'][-1])
    if not isinstance(ratio, (int, float)):
        raise DuGIError(f'arch mlp_ratio={ratio!r}: give a number, such as 4')
    check_range('arch mlp_ratio', ratio, *SIZES['mlp_ratio'])
    result = ConvViTArch(
        **{
            **arch,
            'embed_dims': tuple(arch['embed_dims']),
            'depths': tuple(arch['depths']),
        }
    )
    width = result.embed_dims[-1]
    step = math.lcm(4, heads)
    if width % step:
        raise DuGIError(
            f'arch embed_dims={result.embed_dims}: the last width must divide by 4 '
            f'(position embedding) and by num_heads={heads}, the nearest is '
            f'{max(1, round(width / step)) * step}'
        )
    return result
