"""One minus a differentiable intersection over union of the target class."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from dugi_mae.errors import DuGIError
from dugi_mae.utils.arguments import check_arguments


def soft_iou(
    prob: Tensor,
    target: Tensor,
    per_image: bool = True,
    smooth: float = 1.0,
    false_alarm_weight: float = 1.0,
) -> Tensor:
    """Intersection over union with probabilities in place of decisions.

    ``(sum(p * t) + smooth) / (sum(t + w * p * (1 - t)) + smooth)``, with ``w = 1`` as
    ACM's SoftIoU. An image without target and without response counts 1.

    Args:
        prob: ``(B, H, W)`` probabilities of the target.
        target: ``(B, H, W)``, 1 at the target, 0 elsewhere.
        per_image: Whether each image is scored by itself, so that small targets weigh
            as much as large ones; otherwise the sums run over the whole batch.
        smooth: Added to both sums, in pixels; above 0, or an empty image without
            response is 0 / 0.
        false_alarm_weight: ``w``, how often a pixel off the target counts. Crops that
            aim at targets show less background than whole images do; this makes up
            for it.

    Returns:
        ``(B,)`` if ``per_image``, else a scalar; in ``(0, 1]``.
    """
    dims = (1, 2) if per_image else (0, 1, 2)
    overlap = (prob * target).sum(dims)
    union = (target + false_alarm_weight * prob * (1 - target)).sum(dims)
    return (overlap + smooth) / (union + smooth)


@MODELS.register_module()
class SoftIoULoss(nn.Module):
    """``1 - soft_iou`` on logits, for mmseg heads with one or two output channels.

    Put it in a head's ``loss_decode`` list, beside ``CrossEntropyLoss`` if wanted.

    Args:
        per_image: See :func:`soft_iou`; published codes use either.
        smooth: See :func:`soft_iou`.
        false_alarm_weight: See :func:`soft_iou`.
        loss_weight: Factor.
        loss_name: Key in the log; names with ``loss`` are added up by the host.

    Raises:
        DuGIError: If ``smooth`` is not above 0, or the logits have more than two
            channels.
    """

    @check_arguments
    def __init__(
        self,
        per_image: bool = True,
        smooth: float = 1.0,
        false_alarm_weight: float = 1.0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_iou',
    ) -> None:
        super().__init__()
        if smooth <= 0:
            raise DuGIError(
                f'smooth={smooth}: an empty image would score 0 / 0, give a number '
                'above 0, such as 1'
            )
        self.per_image = per_image
        self.smooth = smooth
        self.false_alarm_weight = false_alarm_weight
        self.loss_weight = loss_weight
        self._loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs,
    ) -> Tensor:
        """Score logits against labels.

        Args:
            cls_score: ``(B, 1, H, W)`` or ``(B, 2, H, W)`` logits.
            label: ``(B, H, W)`` in {0, 1, ``ignore_index``}.
            weight: Not supported by the ratio; taken for mmseg's call.
            ignore_index: Label of pixels that are left out.
            **kwargs: What mmseg hands to every loss; unused.

        Returns:
            Scalar, weighted.
        """
        channels = cls_score.shape[1]
        if channels > 2:
            raise DuGIError(
                f'SoftIoULoss got logits of {channels} classes: it scores one target '
                'class, set num_classes=2'
            )
        # Sums over thousands of pixels: fp32 under autocast too.
        logits = cls_score.float()
        prob = logits.sigmoid()[:, 0] if channels == 1 else logits.softmax(1)[:, 1]
        prob = prob * (label != ignore_index)
        iou = soft_iou(
            prob,
            (label == 1).float(),
            self.per_image,
            self.smooth,
            self.false_alarm_weight,
        )
        return self.loss_weight * (1 - iou).mean()

    @property
    def loss_name(self) -> str:
        """Key in the host's dict of losses."""
        return self._loss_name
