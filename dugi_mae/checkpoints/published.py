"""What kind of published checkpoint a state dict is, and of which size."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from dugi_mae.checkpoints.io import find_tensors, read_checkpoint
from dugi_mae.errors import DuGIError
from dugi_mae.models.backbones.arch import ARCHS, ConvViTArch

#: Channels of one attention head in every published size; weights do not tell it.
HEAD_WIDTH = 64


class PublishedModel(NamedTuple):
    """What the shapes in a published state dict say.

    Attributes:
        kind: ``'MCMAE'``, ``'InfMAE'`` or ``'DuGI-MAE'``.
        arch: Size of the encoder.
        in_channels: Channels of the image.
        img_size: Side in pixels of the image that ``pos_embed`` is made for.
        decoder_width: Channels of the decoder; 0 without one.
        decoder_depth: Blocks of the decoder.
    """

    kind: str
    arch: ConvViTArch
    in_channels: int
    img_size: int
    decoder_width: int
    decoder_depth: int

    @property
    def arch_text(self) -> str:
        """The arch as a config names it: by its name, or as a dict."""
        for name, arch in ARCHS.items():
            if arch == self.arch:
                return repr(name)
        fields = ', '.join(f'{k}={v}' for k, v in self.arch._asdict().items())
        return f'dict({fields})'


def read_published(path: str | Path, trust: bool = False) -> dict[str, Tensor]:
    """Tensors of a published file, usually under ``model``.

    Args:
        path: The file.
        trust: Run what code the file contains, for a file whose maker is known.

    Raises:
        DuGIError: If the file is missing or damaged or holds no dense tensors.
    """
    content = read_checkpoint(path, trust=trust)
    return find_tensors(content, path, ('model', 'state_dict'))


def describe(state_dict: dict[str, Tensor]) -> PublishedModel:
    """Read kind and sizes of a published state dict off its names and shapes.

    A size is what most of the tensors that show it agree on, so that one missing or
    wrongly shaped tensor stands out instead of changing the whole layout.

    Args:
        state_dict: Tensors under their published names.

    Raises:
        DuGIError: If it is no state dict of this family.
    """

    def size(prefix: str, *names: str) -> int:
        return _most_common(
            n for name in names for n in _sizes(state_dict, prefix + name)
        )

    embed = ('proj.weight', 'proj.bias', 'norm.weight')
    widths = [size(f'patch_embed{i}.', *embed) for i in (1, 2, 3)]
    depths = [_count_blocks(state_dict, f'blocks{i}') for i in (1, 2, 3)]
    if 0 in widths or 0 in depths:
        part = 'patch_embed' if 0 in widths else 'blocks'
        raise DuGIError(
            f'the file is no MCMAE, InfMAE or DuGI-MAE checkpoint: it has no '
            f'{part}{(widths if 0 in widths else depths).index(0) + 1}.*; '
            'convert_checkpoint.py reads the published files as they are'
        )
    decoder = ('embed.bias', 'embed.weight', 'norm.weight', 'norm.bias')
    decoder_width = size('decoder_', *decoder)
    prefixes = {key.partition('.')[0] for key in state_dict}
    kind = 'InfMAE' if 'patch_embed' in prefixes else 'MCMAE'
    if {'var_transformers', 'var_ffns'} & prefixes:
        kind = 'DuGI-MAE'
    return PublishedModel(
        kind,
        _arch(state_dict, widths, depths),
        _in_channels(state_dict),
        _img_size(state_dict, widths[2], decoder_width),
        decoder_width,
        _count_blocks(state_dict, 'decoder_blocks'),
    )


def _sizes(state_dict: dict[str, Tensor], key: str, axis: int = 0) -> list[int]:
    """The size of one axis of one tensor, or nothing."""
    shape = state_dict[key].shape if key in state_dict else ()
    return [shape[axis]] if len(shape) > axis else []


def _most_common(sizes: Iterable[float]) -> float:
    """What most agree on, the first of equals; 0 of nothing."""
    counts = Counter(sizes).most_common(1)
    return counts[0][0] if counts else 0


def _count_blocks(state_dict: dict[str, Tensor], name: str) -> int:
    """Number of blocks ``name.0``, ``name.1``, ... without a gap."""
    found = {tuple(key.split('.')[:2]) for key in state_dict}
    return next(n for n in itertools.count() if (name, str(n)) not in found)


def _arch(
    state_dict: dict[str, Tensor], widths: list[int], depths: list[int]
) -> ConvViTArch:
    ratio = _most_common(
        size / width
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), 1)
        for i in range(depth)
        for size in _sizes(state_dict, f'blocks{stage}.{i}.mlp.fc1.bias')
    )
    heads, rest = divmod(widths[2], HEAD_WIDTH)
    return ConvViTArch(tuple(widths), tuple(depths), 1 if rest else heads, ratio or 4.0)


def _in_channels(state_dict: dict[str, Tensor]) -> int:
    pixels = 16 * 16
    return _most_common(
        _sizes(state_dict, 'patch_embed1.proj.weight', axis=1)
        + _sizes(state_dict, 'patch_embed.proj.weight', axis=1)
        + [n // pixels for n in _sizes(state_dict, 'decoder_pred.weight')]
        + [n // pixels for n in _sizes(state_dict, 'decoder_pred.bias')]
        or [3]
    )


def _img_size(state_dict: dict[str, Tensor], width: int, decoder_width: int) -> int:
    sides = []
    for key, dim in (('pos_embed', width), ('decoder_pos_embed', decoder_width)):
        shape = state_dict[key].shape if key in state_dict else ()
        if len(shape) == 3 and (shape[0], shape[2]) == (1, dim):
            side = math.isqrt(shape[1])
            sides += [side] if side * side == shape[1] else []
    # 224 pixels, as published, where neither table can be read: what is wrong with
    # them is then said by name.
    return 16 * (_most_common(sides) or 14)
