"""Convolutions whose patches do not overlap."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.ops import patch_grid, patchify


def check_channels(images: Tensor, conv: nn.Conv2d) -> None:
    """Raise unless images ``(B, C, H, W)`` have the channels of a convolution."""
    if images.shape[1] != conv.in_channels:
        raise DuGIError(
            f'images with {images.shape[1]} channels met a part with in_channels='
            f'{conv.in_channels}: set in_channels to their number in every part'
        )


class PatchConv(nn.Conv2d):
    """A convolution with kernel = stride, computed as a linear layer over patches.

    Parameters and results are those of ``nn.Conv2d(..., patch_size, patch_size)``. A
    matrix product is faster than the convolution kernels, most of all backwards and on
    small maps.

    Args:
        in_channels: Channels C of the input map.
        out_channels: Channels D of the output map.
        patch_size: Side P of a patch; 1 is a 1x1 convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, patch_size: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, patch_size, patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, D, H / P, W / P)`` with channels-last strides.

        Raises:
            DuGIError: If H or W is no multiple of P, or C is another number.
        """
        size = self.kernel_size[0]
        grid = patch_grid(x, size)
        check_channels(x, self)
        # The channel is the fastest index within a patch.
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        rows = F.linear(patchify(x, size), weight, self.bias)
        return rows.unflatten(1, grid).permute(0, 3, 1, 2)
