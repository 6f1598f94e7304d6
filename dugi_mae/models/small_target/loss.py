"""One minus a differentiable intersection over union of the target class."""

from __future__ import annotations

from torch import Tensor, nn

from dugi_mae.errors import DuGIError


def soft_iou(
    prob: Tensor,
    target: Tensor,
    per_image: bool = True,
    smooth: float = 1.0,
    false_alarm_weight: float = 1.0,
) -> Tensor:
    """Intersection over union with probabilities in place of decisions.

    ``(sum(p * t) + smooth) / (sum(t + w * p * (1 - t)) + smooth)``; with ``w = 1`` it
    is ACM's SoftIoU. An image without target and without response has a soft IoU of 1.

    Args:
        prob: ``(B, H, W)`` probabilities of the target.
        target: ``(B, H, W)``, 1 at the target, 0 elsewhere.
        per_image: Whether to compute one ratio per image, so that small targets weigh
            as much as large ones; otherwise the sums run over the whole batch.
        smooth: Added to both sums, in pixels; above 0, or an empty image without
            response is 0 / 0.
        false_alarm_weight: ``w``, the weight of background pixels. Crops around targets
            contain less background than full images do; a larger weight compensates.

    Returns:
        ``(B,)`` if ``per_image``, else a scalar; in ``(0, 1]``.
    """
    dims = (1, 2) if per_image else (0, 1, 2)
    overlap = (prob * target).sum(dims)
    union = (target + false_alarm_weight * prob * (1 - target)).sum(dims)
    return (overlap + smooth) / (union + smooth)


class SoftIoULoss(nn.Module):
    """``1 - soft_iou`` on logits of one or two channels.

    Args:
        per_image: See :func:`soft_iou`; published codes use either.
        smooth: See :func:`soft_iou`.
        false_alarm_weight: See :func:`soft_iou`.

    Raises:
        DuGIError: If ``smooth`` is not above 0.
    """

    def __init__(
        self,
        per_image: bool = True,
        smooth: float = 1.0,
        false_alarm_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if smooth <= 0:
            raise DuGIError(
                f'smooth={smooth}: the loss of an empty image would be 0 / 0, set it '
                'above 0, for example to 1'
            )
        self.per_image = per_image
        self.smooth = smooth
        self.false_alarm_weight = float(false_alarm_weight)

    def forward(self, logits: Tensor, label: Tensor, ignore_index: int = 255) -> Tensor:
        """Compute the loss.

        Args:
            logits: ``(B, 1, H, W)`` or ``(B, 2, H, W)``.
            label: ``(B, H, W)`` in {0, 1, ``ignore_index``}.
            ignore_index: Label of pixels that are ignored.

        Returns:
            Scalar.

        Raises:
            DuGIError: If the logits have more than two channels.
        """
        channels = logits.shape[1]
        if channels > 2:
            raise DuGIError(
                f'SoftIoULoss got logits of {channels} classes: it needs one target '
                'class, set num_classes=2'
            )
        # Sums over thousands of pixels: fp32 under autocast too.
        logits = logits.float()
        prob = logits.sigmoid()[:, 0] if channels == 1 else logits.softmax(1)[:, 1]
        iou = soft_iou(
            prob * (label != ignore_index),
            (label == 1).float(),
            self.per_image,
            self.smooth,
            self.false_alarm_weight,
        )
        return (1 - iou).mean()
