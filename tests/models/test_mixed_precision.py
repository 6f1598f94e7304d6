"""Automatic mixed precision: what must stay in fp32, and how far the rest moves."""

from __future__ import annotations

import pytest
import torch
from mmpretrain.registry import MODELS

import dugi_mae.models  # noqa: F401

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
HALF = [torch.bfloat16, torch.float16]
MASKINGS = [
    dict(type='EntropyMasking'),
    dict(type='EntropyMasking', estimator='softmax', embed_dims=8),
    dict(type='GreyValueMasking'),
]
DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.gpu)]


def build(masking: dict) -> torch.nn.Module:
    """A toy pre-training model."""
    model = MODELS.build(
        dict(
            type='DuGIMAE',
            masking=masking,
            backbone=dict(type='MaskedConvViT', arch=ARCH, img_size=64),
            guidance=dict(type='DualDomainGuidance', embed_dims=16, num_heads=2),
            neck=dict(
                type='MaskedDecoder',
                embed_dims=16,
                decoder_embed_dims=12,
                decoder_depth=2,
                decoder_num_heads=3,
                img_size=64,
            ),
            head=dict(type='DuGIPretrainHead'),
        )
    )
    return model.train()


def loss_and_gradients(model, images) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a step, and the gradient of every trained weight."""
    loss = model.loss(images)['loss']
    assert loss.dtype == torch.float32
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    return loss.item(), found


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype', HALF, ids=str)
@pytest.mark.parametrize('masking', MASKINGS, ids=lambda m: m['type'])
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
@pytest.mark.parametrize('masking', MASKINGS, ids=lambda m: m['type'])
def test_a_whole_model_of_another_dtype_trains(masking, dtype):
    """After ``model.to(dtype)`` loss, gradients and reconstruction are those of fp32.

    The mask is computed in fp32 whatever the weights are.
    """
    model = build(masking).to(dtype)
    plain = build(masking)
    plain.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 64, 96).to(dtype)
    loss, wanted = (
        m.loss(images.to(x))['loss']
        for m, x in ((model, dtype), (plain, torch.float32))
    )
    assert loss.dtype == dtype
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
