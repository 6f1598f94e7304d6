"""Tests of the soft intersection over union."""

import pytest
import torch

pytest.importorskip('mmseg')

from dugi_mae.errors import DuGIError
from dugi_mae.models.small_target import SoftIoULoss, soft_iou


def naive(prob, target, smooth, weight=1.0):
    """The ratio of one image, pixel by pixel, in float64."""
    overlap = union = 0.0
    for p, t in zip(prob.flatten().tolist(), target.flatten().tolist(), strict=True):
        overlap += p * t
        union += t + weight * p * (1 - t)
    return (overlap + smooth) / (union + smooth)


@pytest.mark.parametrize('weight', [1.0, 4.0])
@pytest.mark.parametrize('smooth', [1.0, 1e-3])
def test_equals_loop(smooth, weight):
    """Per image it is the loop over pixels; over the batch, the loop over all."""
    torch.manual_seed(0)
    prob, target = torch.rand(3, 5, 7), (torch.rand(3, 5, 7) > 0.8).float()
    expected = [naive(p, t, smooth, weight) for p, t in zip(prob, target, strict=True)]
    per_image = soft_iou(prob, target, True, smooth, weight)
    assert per_image.tolist() == pytest.approx(expected)
    whole = soft_iou(prob, target, False, smooth, weight)
    assert whole.item() == pytest.approx(naive(prob, target, smooth, weight))


def test_false_alarms_count_as_often_as_they_are_rare_in_crops():
    """With weight 4 one false pixel costs as much as four with weight 1."""
    label = torch.zeros(1, 6, 6, dtype=torch.long)
    label[0, 0, :4] = 1
    found = torch.full((1, 1, 6, 6), -50.0).masked_fill(label[:, None] == 1, 50.0)
    one, four, missed = (found.clone() for _ in range(3))
    one[0, 0, 5, 0] = 50
    four[0, 0, 5, :4] = 50
    missed[0, 0, 0, 0] = -50
    plain = SoftIoULoss(smooth=1e-6)
    strict = SoftIoULoss(smooth=1e-6, false_alarm_weight=4.0)
    assert strict(one, label).item() == pytest.approx(plain(four, label).item())
    assert strict(missed, label).item() == pytest.approx(plain(missed, label).item())


def test_hard_masks_give_the_iou():
    """Certain predictions, hardly smoothed: it is the intersection over union."""
    label = torch.zeros(1, 6, 6, dtype=torch.long)
    label[0, 1:3, 1:3] = 1
    logits = torch.full((1, 1, 6, 6), -50.0)
    logits[0, 0, 1:3, 2:5] = 50
    loss = SoftIoULoss(smooth=1e-6)(logits, label)
    assert loss.item() == pytest.approx(1 - 2 / 8)


def test_per_image_weighs_small_targets_alike():
    """A missed target of one pixel costs as much as one of 100 pixels."""
    label = torch.zeros(2, 20, 20, dtype=torch.long)
    label[0, :10, :10] = 1
    label[1, 0, 0] = 1
    logits = torch.where(label == 1, 50.0, -50.0)[:, None]
    logits[1, 0, 0, 0] = -50
    losses = {
        per_image: SoftIoULoss(per_image, smooth=1e-6)(logits, label).item()
        for per_image in (True, False)
    }
    assert losses[True] == pytest.approx(0.5, rel=1e-5)
    assert losses[False] == pytest.approx(1 / 101, rel=1e-5)


def test_two_channels_equal_one():
    """Two-class logits count as one logit, their difference."""
    torch.manual_seed(0)
    logits = torch.randn(2, 2, 4, 4)
    label = torch.randint(0, 2, (2, 4, 4))
    one = SoftIoULoss()(logits[:, 1:] - logits[:, :1], label)
    assert SoftIoULoss()(logits, label).item() == pytest.approx(one.item())


def test_ignored_pixels_do_not_count():
    """Pixels of the ignored label change neither the loss nor a gradient."""
    torch.manual_seed(0)
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
    """A background image that stays silent has loss 0, and finite gradients."""
    logits = torch.full((1, 1, 4, 4), -60.0, requires_grad=True)
    loss = SoftIoULoss()(logits, torch.zeros(1, 4, 4, dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad.isfinite().all()


def test_half_precision_is_scored_in_fp32():
    """Sums over many pixels do not overflow half precision."""
    logits = torch.zeros(1, 1, 512, 512, dtype=torch.float16)
    loss = SoftIoULoss()(logits, torch.ones(1, 512, 512, dtype=torch.long))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.5, abs=1e-3)


def test_more_classes_are_refused():
    """Logits of a many-class model end in a message that says what to set."""
    with pytest.raises(DuGIError, match='3 classes.*num_classes=2'):
        SoftIoULoss()(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long))


@pytest.mark.parametrize('smooth', [0.0, -1.0])
def test_no_smoothing_is_refused(smooth):
    """An empty image that stays silent would score 0 / 0."""
    with pytest.raises(DuGIError, match=f'smooth={smooth}: .* above 0, such as 1'):
        SoftIoULoss(smooth=smooth)
