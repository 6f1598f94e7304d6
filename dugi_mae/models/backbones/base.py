"""What the dense and the masked ConvViT share: parameters and their bookkeeping."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.models.image_input import ImageInput
from dugi_mae.models.layers import (
    AttentionBlock,
    ConvBlock,
    ConvPatchEmbed,
    fold_channels_on_load,
    init_transformer_weights,
    resize_positions_on_load,
)
from dugi_mae.ops import resize_pos_embed, sincos_pos_embed

from .arch import resolve_arch

#: Strides of the three patch embeddings; one stage-3 token is 16x16 pixels.
PATCH_SIZES = (4, 2, 2)


class ConvViTBase(ImageInput):
    """Parameters of the three-stage encoder (MCMAE's ConvViT).

    Parameter names are those of the published MCMAE, InfMAE and DuGI-MAE checkpoints.
    Loading a state dict made for another number of input channels or another
    ``img_size`` folds and resizes what is needed.

    Args:
        arch: ``'tiny'``, ``'small'``, ``'base'``, ``'large'`` or a dict, see
            :func:`~dugi_mae.models.backbones.arch.resolve_arch`.
        in_channels: Channels of the image.
        img_size: Side of the square image the stored position embedding is made for;
            other sizes, non-square too, interpolate it.
        drop_path_rate: Stochastic depth of the last block; it grows linearly from 0
            over all blocks.
        with_cp: Recompute activations in the backward pass to save memory.
    """

    #: All tokens have a place in the image: there is no class token.
    num_extra_tokens = 0

    def __init__(
        self,
        arch: str | dict = 'base',
        in_channels: int = 3,
        img_size: int = 224,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.arch = resolve_arch(arch)
        self.in_channels = in_channels
        self.img_size = img_size
        self.with_cp = with_cp
        check_range('drop_path_rate', drop_path_rate, 0, 0.99)
        dims, depths, heads, mlp_ratio = self.arch
        num_blocks = sum(depths)
        rates = [drop_path_rate * i / max(num_blocks - 1, 1) for i in range(num_blocks)]

        widths = (in_channels, *dims)
        for stage, patch_size in enumerate(PATCH_SIZES):
            embed = ConvPatchEmbed(widths[stage], widths[stage + 1], patch_size)
            self.add_module(f'patch_embed{stage + 1}', embed)
        self.patch_embed4 = nn.Linear(dims[2], dims[2])
        stride = PATCH_SIZES[0] * PATCH_SIZES[1] * PATCH_SIZES[2]
        if img_size < stride:
            raise DuGIError(
                f'img_size={img_size} is smaller than a {stride}-pixel token'
            )
        self.patch_size = stride
        self.pos_grid = (img_size // stride, img_size // stride)
        self.pos_embed = nn.Parameter(
            sincos_pos_embed(self.pos_grid, dims[2]), requires_grad=False
        )
        for stage in (0, 1):
            first = sum(depths[:stage])
            blocks = [
                ConvBlock(dims[stage], mlp_ratio, rates[first + i])
                for i in range(depths[stage])
            ]
            self.add_module(f'blocks{stage + 1}', nn.ModuleList(blocks))
        self.blocks3 = nn.ModuleList(
            AttentionBlock(dims[2], heads, mlp_ratio, rate)
            for rate in rates[sum(depths[:2]) :]
        )
        self.apply(init_transformer_weights)
        fold_channels_on_load(self.patch_embed1.proj)
        resize_positions_on_load(self, 'pos_embed')

    @property
    def embed_dims(self) -> int:
        """Width D of the tokens."""
        return self.arch.embed_dims[-1]

    @property
    def num_heads(self) -> int:
        """Attention heads of the third stage."""
        return self.arch.num_heads

    def position(self, grid: tuple[int, int]) -> Tensor:
        """Position embedding for a grid of tokens, ``(1, rows * cols, D)``."""
        return resize_pos_embed(self.pos_embed, self.pos_grid, grid)

    def run_block(self, block: nn.Module, *inputs) -> Tensor:
        """Run a block, recomputing it in the backward pass if ``with_cp``."""
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(block, *inputs, use_reentrant=False)
        return block(*inputs)

    def get_layer_depth(
        self, param_name: str, prefix: str = 'backbone.'
    ) -> tuple[int, int]:
        """Level of a parameter for layer-wise learning-rate decay (as MCMAE).

        The position embedding, the patch embeddings and both convolutional stages are
        level 0, ``blocks3.i`` is level i + 1, everything else (heads too) is last.

        Args:
            param_name: Full name of the parameter.
            prefix: Where this backbone hangs in the model.

        Returns:
            The level and the number of levels.
        """
        num_levels = self.arch.depths[2] + 2
        if not param_name.startswith(prefix):
            return num_levels - 1, num_levels
        name = param_name[len(prefix) :]
        if name.startswith(('pos_embed', 'patch_embed', 'blocks1.', 'blocks2.')):
            return 0, num_levels
        if name.startswith('blocks3.'):
            return int(name.split('.')[1]) + 1, num_levels
        return num_levels - 1, num_levels
