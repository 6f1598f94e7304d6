"""Convolutions whose patches do not overlap."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


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

        H and W are multiples of P.
        """
        size = self.kernel_size[0]
        # (B, C, rows, P, cols, P) -> (B, rows, cols, P, P, C)
        patches = x.unflatten(3, (-1, size)).unflatten(2, (-1, size))
        patches = patches.permute(0, 2, 4, 3, 5, 1).flatten(3)
        # The channel is the fastest index within a patch.
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(patches, weight, self.bias).permute(0, 3, 1, 2)
