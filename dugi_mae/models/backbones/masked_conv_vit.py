"""The encoder in pre-training: it sees the visible tokens only."""

from __future__ import annotations

from torch import Tensor, nn

from dugi_mae.errors import check_choice
from dugi_mae.models.layers import init_transformer_weights
from dugi_mae.models.layers.conv_block import TokenMixer
from dugi_mae.models.layers.patch_conv import PatchConv
from dugi_mae.ops import (
    TokenMask,
    check_mask,
    conv_on_cells,
    gather_patches,
    gather_tokens,
    grid_mask,
    neighbour_rows,
    patch_grid,
)

from .base import ConvViTBase


class MaskedConvViT(ConvViTBase):
    """ConvViT over the visible tokens of an image, with multi-scale fusion.

    The mask lives on the 16-pixel token grid and is applied block-wise to the finer
    stages. Stage-1 and stage-2 maps are brought to the token grid by one strided
    convolution each and added to the stage-3 output before the final norm.

    Args:
        arch: As in :class:`~dugi_mae.models.backbones.ConvViT`.
        in_channels: Channels of the image.
        img_size: Side of the square image the stored position embedding is made for.
        impl: ``'sparse'`` computes the convolutional stages on the visible tokens
            only; ``'dense'`` on the whole map with masked places zeroed before every
            depthwise convolution, as published. The results are equal.
        with_cp: Recompute activations in the backward pass to save memory.
    """

    def __init__(
        self,
        arch: str | dict = 'base',
        in_channels: int = 3,
        img_size: int = 224,
        impl: str = 'sparse',
        with_cp: bool = False,
    ) -> None:
        super().__init__(arch, in_channels, img_size, with_cp=with_cp)
        check_choice('impl', impl, _LAYOUTS)
        self.impl = impl
        dims = self.arch.embed_dims
        self.stage1_output_decode = PatchConv(dims[0], dims[2], 4)
        self.stage2_output_decode = PatchConv(dims[1], dims[2], 2)
        self.norm = nn.LayerNorm(dims[2], eps=1e-6)
        for fusion in (self.stage1_output_decode, self.stage2_output_decode):
            fusion.apply(init_transformer_weights)

    def forward(self, images: Tensor, token_mask: TokenMask) -> Tensor:
        """Encode the visible tokens.

        Args:
            images: ``(B, C, H, W)``, H and W multiples of 16.
            token_mask: Which of the ``L = H / 16 * W / 16`` tokens are visible.

        Returns:
            ``(B, K, D)`` in the order of ``token_mask.ids_keep``.

        Raises:
            DuGIError: If the mask was made for other images, or these have another
                number of channels.
        """
        self.check_images(images)
        grid = patch_grid(images, self.patch_size)
        check_mask(token_mask, len(images), grid)
        ids = token_mask.ids_keep
        layout = _LAYOUTS[self.impl](token_mask, grid)

        x = self.patch_embed1(layout.start(images, self.patch_size))
        mixer = layout.mixer(scale=4)
        for block in self.blocks1:
            x = self.run_block(block, x, mixer)
        stage1 = layout.visible_tokens(self.stage1_output_decode(x))

        x = self.patch_embed2(x)
        mixer = layout.mixer(scale=2)
        for block in self.blocks2:
            x = self.run_block(block, x, mixer)
        stage2 = layout.visible_tokens(self.stage2_output_decode(x))

        tokens = self.patch_embed4(layout.visible_tokens(self.patch_embed3(x)))
        position = self.position(grid).expand(len(images), -1, -1)
        tokens = tokens + gather_tokens(position, ids)
        for block in self.blocks3:
            tokens = self.run_block(block, tokens)
        return self.norm(tokens + stage1 + stage2)


class _DenseLayout:
    """Maps of the whole image; masked places are zeroed where tokens mix."""

    def __init__(self, token_mask: TokenMask, grid: tuple[int, int]) -> None:
        self.token_mask = token_mask
        self.grid = grid

    def start(self, images: Tensor, patch_size: int) -> Tensor:
        """``(B, C, H, W)`` as it is."""
        return images

    def mixer(self, scale: int) -> TokenMixer:
        """The depthwise convolution of a stage with ``scale**2`` cells a token."""
        visible = grid_mask(self.token_mask, self.grid, scale)
        return lambda conv, x: conv(x * visible.to(x.dtype))

    def visible_tokens(self, maps: Tensor) -> Tensor:
        """``(B, D, rows, cols)`` -> ``(B, K, D)``."""
        return gather_tokens(maps.flatten(2).transpose(1, 2), self.token_mask.ids_keep)


class _SparseLayout(_DenseLayout):
    """One small map a visible token: ``(B * K, C, scale, scale)``."""

    def start(self, images: Tensor, patch_size: int) -> Tensor:
        """``(B, C, H, W)`` -> ``(B * K, C, patch_size, patch_size)``."""
        ids = self.token_mask.ids_keep
        return gather_patches(images, ids, patch_size).flatten(0, 1)

    def mixer(self, scale: int) -> TokenMixer:
        """The depthwise convolution of a stage with ``scale**2`` cells a token."""
        neighbours = neighbour_rows(self.token_mask, self.grid, scale, margin=2)
        return lambda conv, x: conv_on_cells(conv, x, neighbours)

    def visible_tokens(self, maps: Tensor) -> Tensor:
        """``(B * K, D, 1, 1)`` -> ``(B, K, D)``."""
        return maps.flatten(1).unflatten(0, self.token_mask.ids_keep.shape)


_LAYOUTS = {'sparse': _SparseLayout, 'dense': _DenseLayout}
