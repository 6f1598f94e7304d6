"""The small-target network as a decode head of mmseg."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from dugi_mae.models.small_target import SmallTargetNet, small_target_losses


@MODELS.register_module()
class IRSTDHead(BaseModule):
    """:class:`~dugi_mae.models.small_target.SmallTargetNet` for mmseg's segmentors.

    Its losses are binary cross-entropy and one minus soft IoU.

    Args:
        in_channels: Channels of F1 to F4 of the encoder, none without one.
        image_channels: Channels of the image.
        widths: See the network.
        threshold: Probability above which a pixel is target.
    """

    num_classes, out_channels, align_corners = 2, 1, False

    def __init__(
        self,
        in_channels: Sequence[int] = (),
        image_channels: int = 1,
        widths: Sequence[int] = (8, 16, 32, 64, 128),
        threshold: float = 0.5,
    ) -> None:
        super().__init__()
        self.net = SmallTargetNet(in_channels, widths, image_channels)
        self.threshold = threshold

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Compute the logits, ``(B, 1, H, W)``.

        Args:
            inputs: The features of :class:`SmallTargetSegmentor`; the image is the
                last.
        """
        *features, images = inputs
        return self.net(images, features)

    def loss(self, inputs: Sequence[Tensor], batch_data_samples, train_cfg) -> dict:
        """Compute both losses."""
        label = torch.stack([s.gt_sem_seg.data for s in batch_data_samples])
        return small_target_losses(self(inputs), label)

    def predict(self, inputs: Sequence[Tensor], batch_img_metas, test_cfg) -> Tensor:
        """Compute the logits."""
        return self(inputs)
