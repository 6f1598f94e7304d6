"""The soft intersection over union."""

from __future__ import annotations

import pytest
import torch

from dugi_mae.errors import DuGIError
from dugi_mae.models.small_target import SoftIoULoss, soft_iou


def naive(prob, target, smooth, weight=1.0):
    """The ratio of one image, pixel by pixel, in float64."""
    overlap = union = 0.0
    for p, t in zip(prob.flatten().tolist(), target.flatten().tolist(), strict=True):
        overlap += p * t
        union += t + weight * p * (1 - t)
    return (overlap + smooth) / (union + smooth)


def certain(mask) -> torch.Tensor:
    """``(B, 1, H, W)`` logits that leave no doubt."""
    return torch.where(mask == 1, 50.0, -50.0)[:, None]


@pytest.mark.parametrize('weight', [1.0, 4.0])
@pytest.mark.parametrize('smooth', [1.0, 1e-3])
def test_equals_loop(smooth, weight):
    """Per image it is the loop over pixels; over the batch, the loop over all."""
    prob, target = torch.rand(3, 5, 7), (torch.rand(3, 5, 7) > 0.8).float()
    expected = [naive(p, t, smooth, weight) for p, t in zip(prob, target, strict=True)]
    per_image = soft_iou(prob, target, True, smooth, weight)
    assert per_image.tolist() == pytest.approx(expected)
    batch = soft_iou(prob, target, False, smooth, weight)
    assert batch.item() == pytest.approx(naive(prob, target, smooth, weight))


def test_false_alarm_weight():
    """With weight 4 one false pixel costs as much as four with weight 1."""
    label = torch.zeros(1, 6, 6, dtype=torch.long)
    label[0, 0, :4] = 1
    one, four, missed = (label.clone() for _ in range(3))
    one[0, 5, 0] = 1
    four[0, 5, :4] = 1
    missed[0, 0, 0] = 0
    plain = SoftIoULoss(smooth=1e-6)
    strict = SoftIoULoss(smooth=1e-6, false_alarm_weight=4.0)
    for a, b in ((one, four), (missed, missed)):
        loss = plain(certain(b), label).item()
        assert strict(certain(a), label).item() == pytest.approx(loss)


def test_per_image_weighs_small_targets_alike():
    """Certain predictions give the IoU; one missed pixel costs as much as 100."""
    label = torch.zeros(2, 20, 20, dtype=torch.long)
    label[0, :10, :10] = 1
    label[1, 0, 0] = 1
    logits = certain(label)
    logits[1, 0, 0, 0] = -50
    for per_image, expected in ((True, 0.5), (False, 1 / 101)):
        loss = SoftIoULoss(per_image, smooth=1e-6)(logits, label)
        assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_two_channels_equal_one():
    """Two-class logits count as one logit, their difference."""
    logits = torch.randn(2, 2, 4, 4)
    label = torch.randint(0, 2, (2, 4, 4))
    one = SoftIoULoss()(logits[:, 1:] - logits[:, :1], label)
    assert SoftIoULoss()(logits, label).item() == pytest.approx(one.item())


def test_ignored_pixels_do_not_count():
    """Pixels of the ignored label change neither the loss nor a gradient."""
    label = torch.randint(0, 2, (1, 4, 4))
    label[0, 0] = 255
    logits = torch.randn(1, 1, 4, 4, requires_grad=True)
    loss = SoftIoULoss()(logits, label)
    loss.backward()
    other = logits.detach().clone()
    other[0, 0, 0] += 9
    assert SoftIoULoss()(other, label).item() == pytest.approx(loss.item())
    assert not logits.grad[0, 0, 0].any()
    assert logits.grad[0, 0, 1:].all()


def test_empty_image_without_response_costs_nothing():
    """A background image without response has loss 0, and finite gradients."""
    logits = torch.full((1, 1, 4, 4), -60.0, requires_grad=True)
    loss = SoftIoULoss()(logits, torch.zeros(1, 4, 4, dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad.isfinite().all()


def test_half_precision_is_summed_in_fp32():
    """Sums over many pixels do not overflow half precision."""
    logits = torch.zeros(1, 1, 512, 512, dtype=torch.float16)
    loss = SoftIoULoss()(logits, torch.ones(1, 512, 512, dtype=torch.long))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.5, abs=1e-3)


def test_more_classes_are_refused():
    """Logits of a many-class model end in a message with the setting."""
    with pytest.raises(DuGIError, match='3 classes.*num_classes=2'):
        SoftIoULoss()(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long))


@pytest.mark.parametrize('smooth', [0.0, -1.0])
def test_no_smoothing_is_refused(smooth):
    """The loss of an empty image would be 0 / 0."""
    with pytest.raises(DuGIError, match=f'smooth={smooth}: .* above 0'):
        SoftIoULoss(smooth=smooth)
