"""Cross-entropy and soft IoU of small targets."""

from __future__ import annotations

import math

import pytest
import torch

from dugi_mae.models.small_target import small_target_losses, soft_iou


def test_soft_iou_equals_loop():
    """One ratio over all pixels of the batch."""
    prob, target = torch.rand(3, 5, 7), (torch.rand(3, 5, 7) > 0.8).float()
    overlap = union = 0.5
    pixels = zip(prob.flatten().tolist(), target.flatten().tolist(), strict=True)
    for p, t in pixels:
        overlap += p * t
        union += p + t - p * t
    result = soft_iou(prob, target, smooth=0.5).item()
    assert result == pytest.approx(overlap / union)


def test_losses_equal_loop():
    """Both are those of the pixels that count; of the others they know nothing."""
    logits = torch.randn(2, 1, 4, 5, requires_grad=True)
    label = torch.randint(0, 2, (2, 1, 4, 5))
    label[0, 0, 0] = 255
    entropy, number = 0.0, 0
    overlap = union = 1.0
    flat = logits.flatten().tolist(), label.flatten().tolist()
    for x, t in zip(*flat, strict=True):
        if t == 255:
            continue
        p, number = 1 / (1 + math.exp(-x)), number + 1
        entropy -= math.log(p if t else 1 - p)
        overlap, union = overlap + p * t, union + p + t - p * t
    losses = small_target_losses(logits, label)
    assert losses['loss_ce'].item() == pytest.approx(entropy / number)
    assert losses['loss_iou'].item() == pytest.approx(1 - overlap / union)
    sum(losses.values()).backward()
    assert ((logits.grad != 0) == (label != 255)).all()


def test_an_empty_batch_without_response_costs_nothing():
    """Both losses are 0, and their gradients finite."""
    logits = torch.full((1, 1, 4, 4), -60.0, requires_grad=True)
    losses = small_target_losses(logits, torch.zeros(1, 1, 4, 4, dtype=torch.long))
    loss = sum(losses.values())
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad.isfinite().all()


def test_half_precision_is_summed_in_fp32():
    """Sums over many pixels do not overflow half precision."""
    logits = torch.zeros(1, 1, 512, 512, dtype=torch.float16)
    losses = small_target_losses(logits, torch.ones_like(logits).long())
    assert losses['loss_iou'].item() == pytest.approx(0.5, abs=1e-3)
    assert losses['loss_ce'].item() == pytest.approx(math.log(2), abs=1e-5)
