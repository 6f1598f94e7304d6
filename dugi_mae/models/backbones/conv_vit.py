"""The dense encoder for downstream tasks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.models.layers import WindowAttention, init_transformer_weights

from .base import ConvViTBase

_STRIDES = (4, 8, 16, 32)


def spread_blocks(depth: int, count: int = 4) -> tuple[int, ...]:
    """Blocks spread evenly from the first to the last, at most ``count``.

    Of 11 blocks these are 0, 3, 6 and 10, MCMAE's choice for its detectors.
    """
    count = min(count, depth)
    return tuple(i * (depth - 1) // max(count - 1, 1) for i in range(count))


class ConvViT(ConvViTBase):
    """Hybrid convolution/attention encoder with a four-level feature pyramid.

    F1, F2 and F3 are the raw stage outputs, F4 is F3 at half the resolution. Images of
    any size are zero-padded to a multiple of 32 inside, and the maps are cropped back
    to ``ceil(size / stride)``.

    Args:
        arch: ``'tiny'``, ``'small'``, ``'base'``, ``'large'`` or a dict with
            ``embed_dims``, ``depths`` and ``num_heads``.
        in_channels: Channels of the image.
        out_indices: Which of F1..F4 (0..3) to return. Stages behind the last of them
            are neither run nor trained.
        drop_path_rate: Stochastic depth of the last block.
        frozen_stages: -1 freezes nothing, 0 the first patch embedding, k = 1..3 also
            everything up to and including stage k.
        with_cp: Recompute activations in the backward pass to save memory.
        window_size: Side in tokens (of 16 pixels) of the windows within which most
            attention blocks work, for large images; 16 in MCMAE's detectors. ``None``:
            every block attends to all tokens, as in pre-training.
        global_blocks: Which blocks attend to all tokens although there are windows;
            ``None`` takes four spread evenly, 0, 3, 6 and 10 of 11, and no more than
            half of all.
        rel_pos_bias: Give the windowed blocks a learned relative position bias. It
            starts at zero and is not in pre-training checkpoints.
        f4_downsample: How F4 comes from F3: ``'pool'`` is 2x2 max pooling; ``'conv'`` a
            3x3 convolution of stride 2, BN and GELU (MCMAE's segmentation), which are
            not in pre-training checkpoints.
        layer_scale: Multiply the residual branches of stage 3 by a learned factor a
            channel. They start at 1 and are not in pre-training checkpoints.
        img_size: Side of the square image the stored position embedding is made for.

    Attributes:
        out_channels: Channels of the maps that are returned.
        strides: Their strides in pixels.

    Example:
        >>> import torch
        >>> model = ConvViT('tiny')
        >>> [tuple(x.shape[1:]) for x in model(torch.rand(1, 3, 64, 96))]
        [(64, 16, 24), (128, 8, 12), (192, 4, 6), (192, 2, 3)]
    """

    def __init__(
        self,
        arch: str | dict = 'base',
        in_channels: int = 3,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        drop_path_rate: float = 0.0,
        frozen_stages: int = -1,
        with_cp: bool = False,
        window_size: int | None = None,
        global_blocks: Sequence[int] | None = None,
        rel_pos_bias: bool = False,
        f4_downsample: str = 'pool',
        layer_scale: bool = False,
        img_size: int = 224,
    ) -> None:
        super().__init__(arch, in_channels, img_size, drop_path_rate, with_cp)
        self.out_indices = tuple(out_indices)
        if not self.out_indices or not set(self.out_indices) <= {0, 1, 2, 3}:
            raise DuGIError(f'out_indices={out_indices}: choose from 0, 1, 2, 3')
        check_choice('frozen_stages', frozen_stages, (-1, 0, 1, 2, 3))
        self.frozen_stages = frozen_stages
        dims = (*self.arch.embed_dims, self.arch.embed_dims[-1])
        self.out_channels = tuple(dims[i] for i in self.out_indices)
        self.strides = tuple(_STRIDES[i] for i in self.out_indices)
        self._use_windows(window_size, global_blocks, rel_pos_bias)
        self.down4 = self._make_down4(f4_downsample)
        if layer_scale:
            for block in self.blocks3:
                block.add_layer_scale()
        self._freeze()

    def _make_down4(self, kind: str) -> nn.Module:
        """What makes F4 of F3."""
        check_choice('f4_downsample', kind, ('pool', 'conv'))
        if kind == 'pool':
            return nn.MaxPool2d(2)
        if 3 not in self.out_indices:
            raise DuGIError(
                "f4_downsample='conv' would learn nothing, as F4 is not returned: "
                'add 3 to out_indices, or omit f4_downsample'
            )
        dim = self.arch.embed_dims[-1]
        conv = nn.Conv2d(dim, dim, 3, stride=2, padding=1, bias=False)
        init_transformer_weights(conv)
        return nn.Sequential(conv, nn.BatchNorm2d(dim), nn.GELU())

    def _use_windows(
        self,
        window_size: int | None,
        global_blocks: Sequence[int] | None,
        rel_pos_bias: bool,
    ) -> None:
        """Give all but the global attention blocks windows."""
        if window_size is None:
            if global_blocks is not None or rel_pos_bias:
                raise DuGIError(
                    'global_blocks and rel_pos_bias are for windowed attention: give '
                    'window_size too, such as 16'
                )
            return
        if window_size < 1:
            raise DuGIError(f'window_size={window_size}: give tokens, such as 16')
        depth = len(self.blocks3)
        if global_blocks is None:
            global_blocks = spread_blocks(depth, min(4, depth // 2))
        if not set(global_blocks) <= set(range(depth)):
            raise DuGIError(
                f'global_blocks={tuple(global_blocks)}: this arch has the attention '
                f'blocks 0 to {depth - 1}'
            )
        for index, block in enumerate(self.blocks3):
            if index not in global_blocks:
                block.attn = WindowAttention(
                    self.arch.embed_dims[-1],
                    self.arch.num_heads,
                    window_size,
                    rel_pos_bias,
                )
                block.attn.apply(init_transformer_weights)

    def _freeze(self) -> None:
        """Fix the frozen stages, and those that are not run, in eval mode."""
        stages = (
            (self.patch_embed1, self.blocks1),
            (self.patch_embed2, self.blocks2),
            (self.patch_embed3, self.patch_embed4, self.blocks3),
        )
        fixed = [self.patch_embed1] if self.frozen_stages == 0 else []
        for stage in stages[: max(self.frozen_stages, 0)]:
            fixed += stage
        # Parallel training takes no parameter that never gets a gradient.
        for stage in stages[max(self.out_indices) + 1 :]:
            fixed += stage
        for module in fixed:
            module.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> ConvViT:
        """Set the training mode; fixed stages stay in eval mode."""
        super().train(mode)
        self._freeze()
        return self

    def _attend(self, x: Tensor) -> Tensor:
        """Stage 3, from F2 to F3."""
        x = self.patch_embed3(x)
        grid = tuple(x.shape[-2:])
        tokens = self.patch_embed4(x.flatten(2).transpose(1, 2))
        tokens = tokens + self.position(grid)
        for block in self.blocks3:
            tokens = self.run_block(block, tokens, grid)
        return tokens.transpose(1, 2).unflatten(2, grid)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Extract the feature pyramid.

        Args:
            images: ``(B, C, H, W)``, H and W at least 16 pixels.

        Returns:
            The maps named by ``out_indices``, ``(B, C_i, ceil(H / s), ceil(W / s))``
            at strides s = 4, 8, 16, 32.

        Raises:
            DuGIError: If the image is smaller than one token, or has another number of
                channels.
        """
        self.check_images(images)
        height, width = images.shape[-2:]
        if min(height, width) < self.patch_size:
            raise DuGIError(
                f'image of {height}x{width} pixels is smaller than one '
                f'{self.patch_size}x{self.patch_size} patch: resize or pad it first'
            )
        stride = _STRIDES[-1]
        x = F.pad(images, (0, -width % stride, 0, -height % stride))
        maps, last = [], max(self.out_indices)
        for embed, blocks in (
            (self.patch_embed1, self.blocks1),
            (self.patch_embed2, self.blocks2),
        )[: last + 1]:
            x = embed(x)
            for block in blocks:
                x = self.run_block(block, x)
            maps.append(x)
        if last >= 2:
            maps.append(self._attend(x))
        if last == 3:
            maps.append(self.down4(maps[-1]))
        # Contiguous: mmcv's RoIAlign takes the memory of any other map for that of a
        # contiguous one, without a word (open-mmlab/mmcv#2203).
        return tuple(
            maps[i][
                ..., : -(-height // _STRIDES[i]), : -(-width // _STRIDES[i])
            ].contiguous()
            for i in self.out_indices
        )
