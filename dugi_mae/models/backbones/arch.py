"""Named sizes of the ConvViT encoder."""

from __future__ import annotations

import math
from typing import NamedTuple

from dugi_mae.errors import DuGIError, check_choice, check_range


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


def resolve_arch(arch: str | dict) -> ConvViTArch:
    """Look up an architecture, or take one that is given as a dict.

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
        if len(arch[key]) != 3 or min(arch[key]) < 1:
            raise DuGIError(
                f'arch {key}={tuple(arch[key])}: give three numbers of at least 1, one '
                'a stage'
            )
    stages = {key: tuple(arch[key]) for key in ('embed_dims', 'depths')}
    result = ConvViTArch(**{**arch, **stages})
    width, heads = result.embed_dims[-1], result.num_heads
    check_range('arch num_heads', heads, 1, width)
    step = math.lcm(4, heads)
    if width % step:
        raise DuGIError(
            f'arch embed_dims={result.embed_dims}: the last width must divide by 4 '
            f'(position embedding) and by num_heads={heads}, the nearest is '
            f'{max(1, round(width / step)) * step}'
        )
    return result
