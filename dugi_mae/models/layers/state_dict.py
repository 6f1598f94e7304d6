"""What a module does to a state dict that was made for another image or size."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import nn

from dugi_mae.ops import resize_pos_embed


def fold_channels_on_load(conv: nn.Conv2d) -> None:
    """Let the first convolution load weights of another number of input channels.

    To one channel the kernels are summed, from one channel they are spread evenly:
    either way the output for replicated grey input stays the same.

    Args:
        conv: With a weight ``(D, C, P, P)``.
    """
    conv.register_load_state_dict_pre_hook(_fold_channels)


def _fold_channels(conv: nn.Conv2d, state_dict: dict, prefix: str, *_) -> None:
    weight = state_dict.get(prefix + 'weight')
    if weight is None or weight.dim() != 4:
        return
    source, target = weight.shape[1], conv.in_channels
    if source != target and target == 1:
        # float32: fp16 would round between the channels.
        weight = weight.sum(dim=1, keepdim=True, dtype=torch.float32)
        state_dict[prefix + 'weight'] = weight
    elif source != target and source == 1:
        state_dict[prefix + 'weight'] = weight.expand(-1, target, -1, -1) / target


def resize_positions_on_load(module: nn.Module, name: str) -> None:
    """Let a module load a position embedding of another square grid.

    Args:
        module: With ``pos_grid``, its rows and columns of tokens.
        name: Name of its embedding ``(1, L, D)``.
    """
    module.register_load_state_dict_pre_hook(partial(_resize_positions, name))


def _resize_positions(
    name: str, module: nn.Module, state_dict: dict, prefix: str, *_
) -> None:
    embed, grid = state_dict.get(prefix + name), module.pos_grid
    if embed is None or embed.dim() != 3 or embed.shape[1] == math.prod(grid):
        return
    side = math.isqrt(embed.shape[1])
    # Anything else is named as mismatched when it is loaded.
    if len(embed) == 1 and embed.is_floating_point() and side**2 == embed.shape[1]:
        state_dict[prefix + name] = resize_pos_embed(embed, (side, side), grid)
