"""LayerNorm over the channels of a feature map."""

from __future__ import annotations

from torch import Tensor, nn


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over C of ``(B, C, H, W)``.

    The result has channels-last strides and is not copied back: the 1x1 and depthwise
    convolutions around it are fastest in that layout (mmpretrain's ``LN2d`` makes the
    copy).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(B, C, H, W)`` at every place."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
