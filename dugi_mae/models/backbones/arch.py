"""Named sizes of the ConvViT encoder."""

from __future__ import annotations

from typing import NamedTuple

from dugi_mae.errors import DuGIError, check_choice


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
    """Look an architecture up, or check one that is given as a dict.

    Args:
        arch: A name of :data:`ARCHS`, or a dict with ``embed_dims``, ``depths``,
            ``num_heads`` and optionally ``mlp_ratio``.

    Raises:
        DuGIError: If the name or a key is unknown, a key is missing or the numbers
            do not fit together.
    """
    if isinstance(arch, str):
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
        if len(arch[key]) != 3:
            raise DuGIError(
                f'arch {key}={arch[key]}: ConvViT has three stages, give 3 numbers'
            )
    result = ConvViTArch(
        **{
            **arch,
            'embed_dims': tuple(arch['embed_dims']),
            'depths': tuple(arch['depths']),
        }
    )
    width = result.embed_dims[-1]
    if width % 4 or width % result.num_heads:
        raise DuGIError(
            f'arch embed_dims={result.embed_dims}: the last width must divide by 4 '
            f'(position embedding) and by num_heads={result.num_heads}'
        )
    return result
