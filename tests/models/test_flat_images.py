"""Images without any structure: all zero, or one grey value."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.models import EntropyMasking, GreyValueMasking, RandomMasking

MASKINGS = {
    'histogram': EntropyMasking(),
    'softmax': EntropyMasking(estimator='softmax', keep='lowest', embed_dims=8),
    'random': RandomMasking(),
    'grey': GreyValueMasking(),
}


@pytest.mark.parametrize('amp', [False, True])
@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('masking', MASKINGS)
@pytest.mark.parametrize('value', [0, 90])
def test_a_flat_image_is_harmless(value, masking, norm_pix, amp):
    """Mask of the designed size, the same every time; finite loss, filter, gradients.

    In a batch of nothing else.
    """
    model = toys.autoencoder(MASKINGS[masking], norm_pix=norm_pix).train()
    images = model.prepare([toys.noise(64, 96) * 0 + value] * 2)
    if masking != 'random':
        first, second = (model.masking(images) for _ in range(2))
        assert torch.equal(first.ids_keep, second.ids_keep)
        assert torch.equal(first.ids_keep[0], first.ids_keep[1])
        assert first.ids_keep.shape == (2, 6)
        assert len(set(first.ids_keep[0].tolist())) == 6
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        loss = model(images)
        filtered = model.guidance.afdm.modulate(images)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(filtered).all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
