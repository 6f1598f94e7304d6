"""Automatic mixed precision: what must stay in fp32, and how far the rest moves."""

from __future__ import annotations

import copy

import pytest
import torch
import toys
from torch import nn

from dugi_mae.models import EntropyMasking, GreyValueMasking

HALF = [torch.bfloat16, torch.float16]
MASKINGS = {
    'histogram': EntropyMasking(),
    'softmax': EntropyMasking(estimator='softmax', embed_dims=8),
    'grey': GreyValueMasking(),
}
DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.gpu)]


def build(masking: str) -> nn.Module:
    """A toy pre-training model."""
    return toys.autoencoder(copy.deepcopy(MASKINGS[masking])).train()


def loss_and_gradients(model, images) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a step, and the gradient of every trained weight."""
    loss = model(images)
    assert loss.dtype == torch.float32
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    return loss.item(), found


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype', HALF, ids=str)
@pytest.mark.parametrize('masking', MASKINGS)
def test_a_step_is_that_of_fp32(masking, dtype, device):
    """Same tokens, a loss within 1 %, and gradients that point the same way."""
    model = build(masking).to(device)
    images = torch.randn(2, 3, 64, 96, device=device)
    loss, gradients = loss_and_gradients(model, images)
    mask = model.masking(images)
    with torch.autocast(device, dtype):
        assert torch.equal(model.masking(images).ids_keep, mask.ids_keep)
        half_loss, half_gradients = loss_and_gradients(model, images)
    assert half_loss == pytest.approx(loss, rel=0.01)
    for name, gradient in gradients.items():
        # Keys have no influence through their bias: its gradient is rounding alone.
        if gradient.norm() > 1e-6:
            half = half_gradients[name]
            assert half.dtype == torch.float32
            cosine = torch.cosine_similarity(half.flatten(), gradient.flatten(), dim=0)
            assert cosine > 0.95, name


@pytest.mark.parametrize('dtype', [torch.float64, *HALF], ids=str)
@pytest.mark.parametrize('masking', MASKINGS)
def test_a_model_of_another_dtype_trains(masking, dtype):
    """After ``model.to(dtype)`` loss, gradients and reconstruction are those of fp32.

    The mask is computed in fp32 whatever the weights are.
    """
    model = build(masking).to(dtype)
    plain = build(masking)
    plain.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 64, 96).to(dtype)
    loss, wanted = (
        m(images.to(x)) for m, x in ((model, dtype), (plain, torch.float32))
    )
    # Half-precision errors are averaged in fp32.
    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    assert loss.item() == pytest.approx(wanted.item(), rel=0.02)
    loss.backward()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            assert weight.grad.isfinite().all(), name
    result = model.reconstruct(images)
    assert result.prediction.dtype == torch.float32
    assert torch.equal(
        result.token_mask.ids_keep, plain.masking(images.float()).ids_keep
    )
