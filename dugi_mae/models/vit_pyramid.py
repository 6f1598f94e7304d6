"""Four maps from the single one of a plain vision transformer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.models.layers import LayerNorm2d


class ViTPyramid(nn.Module):
    """Maps at strides 4, 8, 16 and 32 from a stride-16 map, for FPN or UPerNet.

    For side-by-side rows with a plain ViT, which has one resolution only. Its map is
    upsampled by two and by one transposed convolution, kept, and 2x2 max-pooled, in the
    spirit of ViTDet's simple feature pyramid (arXiv 2203.16527); the lateral and output
    convolutions are those of the host's neck or head behind it. Registered in
    mmengine's root, so that mmdet and mmseg find it without a prefix.

    Args:
        embed_dims: Channels D of the map.

    Example:
        >>> backbone = dict(
        ...     type='mmpretrain.VisionTransformer', arch='b', img_size=224,
        ...     patch_size=16, out_type='featmap')
        >>> neck = [
        ...     dict(type='ViTPyramid', embed_dims=768),
        ...     dict(type='FPN', in_channels=[768] * 4, out_channels=256, num_outs=5)]
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()

        def enlarge() -> nn.Module:
            return nn.ConvTranspose2d(embed_dims, embed_dims, 2, 2)

        self.stride4 = nn.Sequential(
            enlarge(), LayerNorm2d(embed_dims), nn.GELU(), enlarge()
        )
        self.stride8 = enlarge()
        self.stride16 = nn.Identity()
        self.stride32 = nn.MaxPool2d(2)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """``[(B, D, H / 16, W / 16)]`` -> four maps ``(B, D, H / s, W / s)``.

        Args:
            maps: What the backbone returns: a sequence with one map.

        Raises:
            DuGIError: If there is not exactly one map.
        """
        if len(maps) != 1:
            raise DuGIError(
                f'ViTPyramid got {len(maps)} maps: let the backbone return its last '
                "one (out_type='featmap', out_indices=-1)"
            )
        levels = (self.stride4, self.stride8, self.stride16, self.stride32)
        # mmpretrain's map is a transposed view of tokens, whose order in memory the
        # levels keep and mmcv's RoIAlign would misread (open-mmlab/mmcv#2203).
        return tuple(level(maps[0]).contiguous() for level in levels)
