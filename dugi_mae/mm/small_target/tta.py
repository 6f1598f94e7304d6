"""Test-time augmentation of small-target segmentors."""

from __future__ import annotations

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample


@MODELS.register_module()
class SmallTargetTTAModel(BaseTTAModel):
    """Mean of the views' target probabilities, for heads with one output channel.

    mmseg's ``SegTTAModel`` applies the sigmoid to probabilities, so that every pixel
    exceeds one half, and leaves one view's probabilities in the result.
    """

    def merge_preds(
        self, data_samples_list: list[list[SegDataSample]]
    ) -> list[SegDataSample]:
        """Merge the views of each image.

        Args:
            data_samples_list: For each image the predictions of its views, flipped
                back, in one size.

        Returns:
            For each image a sample with the mean probabilities ``(1, H, W)`` as
            ``seg_logits`` and the mask that follows as ``pred_sem_seg``.
        """
        merged = []
        for views in data_samples_list:
            mean = torch.stack([view.seg_logits.data for view in views]).mean(dim=0)
            threshold = self.module.decode_head.threshold
            sample = views[0]
            sample.seg_logits = PixelData(data=mean)
            sample.pred_sem_seg = PixelData(data=(mean > threshold).to(torch.int64))
            merged.append(sample)
        return merged
