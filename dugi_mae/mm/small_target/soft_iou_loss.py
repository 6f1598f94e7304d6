"""The soft IoU loss as mmseg calls losses."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor

from dugi_mae.models.small_target import loss


@MODELS.register_module()
class SoftIoULoss(loss.SoftIoULoss):
    """:class:`dugi_mae.models.small_target.SoftIoULoss` for mmseg's decode heads.

    Put it into a head's ``loss_decode`` list, beside ``CrossEntropyLoss`` if wanted.

    Args:
        loss_weight: Weight of the loss.
        loss_name: Key in the log; mmengine adds up names that contain ``loss``.
        **kwargs: As in the parent.
    """

    def __init__(
        self, loss_weight: float = 1.0, loss_name: str = 'loss_iou', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.loss_weight = float(loss_weight)
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs,
    ) -> Tensor:
        """Compute the weighted loss; ``weight`` and ``kwargs`` are not used."""
        return self.loss_weight * super().forward(cls_score, label, ignore_index)
