"""Automatic mixed precision: what must stay in fp32, and how far the rest moves."""

from __future__ import annotations

import pytest
import torch
from mmpretrain.registry import MODELS

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
