"""Cross-entropy, and one minus a differentiable intersection over union."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def soft_iou(prob: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """Intersection over union of a batch with probabilities in place of decisions.

    ``(sum(p * t) + smooth) / (sum(p + t - p * t) + smooth)`` over all pixels of all
    images, as the metric sums over the set: a large false alarm in one image costs as
    much as it does there. Without target and response it is 1.

    Args:
        prob: Probabilities of the target, of any shape.
        target: The same shape, 1 at the target, 0 elsewhere.
        smooth: Added to both sums, in pixels.

    Returns:
        Scalar in ``(0, 1]``.
    """
    overlap = (prob * target).sum()
    return (overlap + smooth) / ((prob + target).sum() - overlap + smooth)


def small_target_losses(
    logits: Tensor, label: Tensor, ignore_index: int = 255
) -> dict[str, Tensor]:
    """The two losses that are added in training.

    Args:
        logits: ``(B, 1, H, W)``.
        label: ``(B, 1, H, W)`` in {0, 1, ``ignore_index``}.
        ignore_index: Label of pixels that do not count.

    Returns:
        ``loss_ce``: mean binary cross-entropy; ``loss_iou``: ``1 - soft_iou``.
    """
    # Sums over thousands of pixels: fp32 under autocast too.
    logits, counted = logits.float(), (label != ignore_index).float()
    target = (label == 1).float()
    cross_entropy = F.binary_cross_entropy_with_logits(
        logits, target, counted, reduction='sum'
    )
    return dict(
        loss_ce=cross_entropy / counted.sum(),
        loss_iou=1 - soft_iou(logits.sigmoid() * counted, target),
    )
