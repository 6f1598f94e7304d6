"""The loss of masked pixels against slow loops."""

from __future__ import annotations

import pytest
import torch
import toys

from dugi_mae.errors import DuGIError
from dugi_mae.models import MaskedPixelHead
from dugi_mae.ops import unpatchify


def slow_loss(pred, images, mask, patch, norm_pix):
    """Mean over masked tokens of the mean squared error of their pixels, float64."""
    batch, channels, _, width = images.shape
    cols = width // patch
    errors = []
    for b in range(batch):
        for token in range(mask.shape[1]):
            if mask[b, token] == 0:
                continue
            top, left = token // cols * patch, token % cols * patch
            pixels = [
                images[b, c, top + y, left + x].item()
                for y in range(patch)
                for x in range(patch)
                for c in range(channels)
            ]
            if norm_pix:
                mean = sum(pixels) / len(pixels)
                var = sum((p - mean) ** 2 for p in pixels) / (len(pixels) - 1)
                pixels = [(p - mean) / (var + 1e-6) ** 0.5 for p in pixels]
            row = pred[b, token].tolist()
            squares = [(a - p) ** 2 for a, p in zip(row, pixels, strict=True)]
            errors.append(sum(squares) / len(squares))
    return sum(errors) / len(errors)


@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('height', 'width'), [(16, 24), (8, 32), (16, 16)])
def test_loss_equals_the_loop(height, width, channels, norm_pix):
    """The mean over masked tokens only, non-square and one-channel too."""
    head = MaskedPixelHead(norm_pix=norm_pix, patch_size=8, in_channels=channels)
    images = torch.randn(2, channels, height, width)
    total = height // 8 * (width // 8)
    pred = torch.randn(2, total, 64 * channels)
    token_mask = toys.random_mask(2, total, 1)
    want = slow_loss(pred, images, token_mask.mask, 8, norm_pix)
    got = head.loss(pred, images, token_mask.mask)
    assert got.dim() == 0
    assert got.item() == pytest.approx(want, rel=1e-4)
    masked = torch.stack(
        [p[m.bool()] for p, m in zip(pred, token_mask.mask, strict=True)]
    )
    short = head.loss(masked, images, token_mask.mask)
    assert short.item() == pytest.approx(got.item(), rel=1e-5)


@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('contrast', [7.0, 1e-3])
@pytest.mark.parametrize(('height', 'width'), [(16, 16), (16, 40)])
def test_to_pixels_inverts_the_target(norm_pix, height, width, contrast):
    """Target to pixels to image gives the image back, whatever ``norm_pix`` is."""
    head = MaskedPixelHead(norm_pix=norm_pix, patch_size=8)
    images = contrast * (1 + torch.randn(2, 3, height, width))
    pixels = head.to_pixels(head.construct_target(images), images)
    back = unpatchify(pixels, (height // 8, width // 8), 8)
    torch.testing.assert_close(back, images, rtol=1e-4, atol=1e-4 * contrast)


def test_prediction_of_a_wrong_length_is_named():
    """A prediction of more tokens or images than there are is refused."""
    head = MaskedPixelHead(patch_size=8)
    mask = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    for batch, count in ((1, 5), (2, 2)):
        shape = rf'shape \({batch}, {count}, 192\) .* 1 images of 4 tokens'
        with pytest.raises(DuGIError, match=shape):
            head.loss(torch.zeros(batch, count, 192), torch.zeros(1, 3, 16, 16), mask)


def test_the_loss_never_waits_for_the_gpu(monkeypatch):
    """No number of a tensor is asked for: a GPU would have to finish first."""

    def refuse(self):
        raise AssertionError('a tensor was read')

    for name in ('item', '__bool__', '__int__', '__float__'):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    mask = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    head, images = MaskedPixelHead(patch_size=8), torch.zeros(1, 3, 16, 16)
    for count in (2, 4):
        head.loss(torch.zeros(1, count, 192), images, mask)


@pytest.mark.parametrize('masked_only', [False, True])
def test_another_loss_can_be_given(masked_only):
    """L1 gives the mean absolute error of the masked tokens."""

    def l1(pred, target, mask):
        return ((pred - target).abs().mean(dim=-1) * mask).sum() / mask.sum()

    head, mask = MaskedPixelHead(patch_size=8, loss=l1), torch.ones(1, 4)
    mask[0, 1:3] = 0
    pred = torch.full((1, 2 if masked_only else 4, 192), -2.0)
    assert head.loss(pred, torch.zeros(1, 3, 16, 16), mask).item() == 2
