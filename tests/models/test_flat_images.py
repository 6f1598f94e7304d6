"""Images without any structure: all zero, or one grey value."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

MASKINGS = {
    'histogram': dict(),
    'softmax': dict(estimator='softmax', keep='lowest', embed_dims=8),
    'random': dict(_delete_=True, type='RandomMasking'),
    'grey': dict(_delete_=True, type='GreyValueMasking'),
}


@pytest.mark.parametrize('amp', [False, True])
@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('masking', MASKINGS)
@pytest.mark.parametrize('value', [0, 90, 255])
def test_a_flat_image_is_harmless(toy_pretrain_model, value, masking, norm_pix, amp):
    """Mask of the designed size, the same every time; finite loss, filter, gradients.

    In a batch of nothing else, and through the data preprocessor.
    """
    config = Config.fromfile(toy_pretrain_model[0])
    config.merge_from_dict(
        dict(model=dict(masking=MASKINGS[masking], head=dict(norm_pix=norm_pix)))
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(config.model)
    model.init_weights()
    flat = torch.full((2, 3, 64, 96), value, dtype=torch.uint8)
    batch = dict(inputs=flat, data_samples=[DataSample(), DataSample()])
    data = model.data_preprocessor(batch, training=True)
    if masking != 'random':
        first, second = (model.masking(data['inputs']) for _ in range(2))
        assert torch.equal(first.ids_keep, second.ids_keep)
        assert torch.equal(first.ids_keep[0], first.ids_keep[1])
        assert first.ids_keep.shape == (2, 6)
        assert len(set(first.ids_keep[0].tolist())) == 6
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        loss = model(**data, mode='loss')['loss']
        filtered = model.guidance.afdm.modulate(data['inputs'])
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(filtered).all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
