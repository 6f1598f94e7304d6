"""The pre-training model as one: DuGI-MAE and the baselines it is compared with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toys
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.models import EntropyMasking, GreyValueMasking, RandomMasking
from dugi_mae.ops import TokenMask, patchify

MASKINGS = {
    'entropy': EntropyMasking(),
    'random': RandomMasking(),
    'grey': GreyValueMasking(),
    'softmax': EntropyMasking(
        estimator='softmax', keep='lowest', keep_order='score', embed_dims=8
    ),
}
#: name, masking, guided.
METHODS = {
    'dugi-mae': ('entropy', True),
    'mcmae': ('random', False),
    'mcmae+ddg': ('random', True),
    'infmae': ('grey', False),
    'infmae+ddg': ('grey', True),
    'reference-code': ('softmax', True),
}


def dugi_mae(masking: str = 'entropy', **kwargs):
    """A toy DuGI-MAE, or with another masking."""
    return toys.autoencoder(MASKINGS[masking], **kwargs)


@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('name', METHODS)
def test_every_method_trains(name, norm_pix):
    """Each table row is this model with other parts: finite loss, full gradient."""
    masking, guided = METHODS[name]
    model = dugi_mae(masking, guidance=guided, norm_pix=norm_pix)
    loss = model(torch.randn(2, 3, 64, 96))
    assert loss.dim() == 0
    assert torch.isfinite(loss)
    loss.backward()
    for key, p in model.named_parameters():
        assert (p.grad is not None) == p.requires_grad, key
    assert (model.guidance is None) == (not guided)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('height', 'width'), [(64, 64), (48, 112), (32, 32)])
def test_any_size_and_channel_count(height, width, channels):
    """Nothing is tied to 224 pixels, squares or three channels."""
    model = dugi_mae(in_channels=channels)
    pred, token_mask = model.predict_tokens(torch.randn(2, channels, height, width))
    total = height // 16 * (width // 16)
    assert pred.shape == (2, total, 256 * channels)
    assert token_mask.ids_keep.shape == (2, total - int(0.75 * total))


class CutNeck(nn.Module):
    """Predicts one token too few."""

    def forward(self, tokens, token_mask, grid, masked_only):
        """``(B, K, D)`` -> ``(B, L - K - 1, P * P * C)``."""
        return tokens.new_zeros(len(tokens), token_mask.ids_masked.shape[1] - 1, 768)


def test_a_prediction_of_other_tokens_is_refused():
    """A neck of a user's own must predict all tokens or the masked ones."""
    model = dugi_mae()
    model.neck = CutNeck()
    with pytest.raises(DuGIError, match='model.neck.* 14 tokens.* 20 .* 15 masked'):
        model(torch.randn(2, 3, 64, 80))


class ArgsortMasking(nn.Module):
    """MAE's own code: the masked tokens follow the visible ones in random order."""

    def forward(self, images):
        """``(B, C, H, W)`` -> a mask with a quarter of the tokens visible."""
        total = images.shape[-2] // 16 * (images.shape[-1] // 16)
        ids_shuffle = torch.rand(len(images), total).argsort(dim=1)
        ids_restore = ids_shuffle.argsort(dim=1)
        rank = torch.arange(total).expand(len(images), -1)
        mask = (rank >= total // 4).float().gather(1, ids_restore)
        return TokenMask(ids_shuffle[:, : total // 4], ids_restore, mask)


def test_masked_tokens_in_any_order_are_compared_in_their_places():
    """The loss of masked tokens alone is that of all, with a mask of a user's own."""
    model = toys.autoencoder(ArgsortMasking()).eval()
    images = torch.randn(2, 3, 64, 80)
    torch.manual_seed(1)
    loss = model(images)
    torch.manual_seed(1)
    pred, token_mask = model.predict_tokens(images)
    torch.testing.assert_close(loss, model.head.loss(pred, images, token_mask.mask))


def test_loss_is_the_error_on_masked_pixels():
    """The loss is the head's loss of what the parts, called one by one, predict."""
    model = dugi_mae().eval()
    images = torch.randn(2, 3, 64, 80)
    token_mask = model.masking(images)
    tokens = model.backbone(images, token_mask)
    tokens = model.guidance(tokens, images, token_mask)
    pred = model.neck(tokens, token_mask, (4, 5))
    masked = token_mask.mask.bool()
    want = (pred - patchify(images, 16))[masked].square().mean()
    assert model(images).item() == pytest.approx(want.item(), rel=1e-5)


@pytest.mark.parametrize('masking', ['entropy', 'grey', 'softmax'])
@torch.no_grad()
def test_an_image_is_treated_as_if_alone(masking):
    """Masking, encoder, filter, guidance and prediction are batch independent."""
    model = dugi_mae(masking).eval()
    images = torch.randn(3, 3, 64, 64)
    images[1] *= 30
    masks = model.masking(images), model.masking(images[:1])
    for together, alone in zip(*masks, strict=True):
        assert torch.equal(together[:1], alone)
    pairs = list(zip((images, images[:1]), masks, strict=True))
    tokens = [model.backbone(x, m) for x, m in pairs]
    inputs = [(t, *pair) for t, pair in zip(tokens, pairs, strict=True)]
    stages = [
        tokens,
        [model.guidance.afdm(*args) for args in inputs],
        [model.guidance(*args) for args in inputs],
        [model.predict_tokens(x)[0] for x, _ in pairs],
    ]
    for together, alone in stages:
        torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)


def test_no_trainable_tensor_is_dead():
    """Each one's gradient norm is at least 1e-6 of the median one."""
    model = dugi_mae()
    model(torch.randn(4, 3, 64, 64)).backward()
    norms = {
        name: p.grad.norm().item()
        for name, p in model.named_parameters()
        if p.requires_grad
    }
    median = sorted(norms.values())[len(norms) // 2]
    weak = {name: norm for name, norm in norms.items() if norm < 1e-6 * median}
    assert median > 0
    assert not weak


def test_a_few_steps_reduce_the_loss():
    """Gradient descent on one batch works, the filter's scalars move with it."""
    model = dugi_mae()
    images = torch.randn(2, 3, 64, 64).cumsum(dim=-1) / 8
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    start = model.guidance.afdm.alpha.item()
    losses = []
    for _ in range(15):
        loss = model(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert model.guidance.afdm.alpha.item() != start


@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('channels', [1, 3])
def test_reconstruction(channels, norm_pix):
    """The composite is the input where visible and the prediction where masked."""
    model = dugi_mae(in_channels=channels, norm_pix=norm_pix)
    images = 3 + torch.randn(2, channels, 48, 80)
    result = model.reconstruct(images)
    mask = model.masking(images).mask.reshape(2, 1, 3, 5)
    masked = mask.repeat_interleave(16, 2).repeat_interleave(16, 3).bool()
    assert torch.equal(result.images, images)
    assert torch.equal(result.visible, (~masked).float())
    masked = masked.expand_as(images)
    assert torch.equal(result.composite[~masked], images[~masked])
    assert torch.equal(result.composite[masked], result.prediction[masked])
    pixels, _ = model.predict_tokens(images)
    if norm_pix:
        tokens = patchify(images, 16)
        std = (tokens.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        pixels = pixels * std + tokens.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(patchify(result.prediction, 16), pixels.detach())
    assert not result.prediction.requires_grad


@pytest.mark.parametrize('make', [toys.conv_vit, dugi_mae])
@pytest.mark.parametrize('channels', [1, 3])
def test_images_that_do_not_fit_are_refused(make, channels):
    """Channels and dimensions are compared once, where images come in."""
    model, other = make(in_channels=channels), 4 - channels
    match = rf'images with {other} channels.*in_channels={channels}.*{other}'
    with pytest.raises(DuGIError, match=match):
        model(torch.zeros(1, other, 64, 64))
    with pytest.raises(DuGIError, match=r'\(3, 64, 64\): expected \(B, C, H, W\)'):
        model(torch.zeros(3, 64, 64))


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('shape', [(64, 96), (64, 96, 1), (64, 96, 3)])
def test_prepare_makes_the_input(channels, shape):
    """One grey image or several, in memory as 8-bit or float, with or without C."""
    model = toys.conv_vit(in_channels=channels)
    model.mean, model.std = 100.0, 50.0
    image = toys.noise(*shape[:2])
    array = image if len(shape) == 2 else np.repeat(image[..., None], shape[2], axis=2)
    want = (torch.from_numpy(image).float() - 100) / 50
    for given, count in ((array, 1), ([array, array], 2), (array.astype(float), 1)):
        x = model.prepare(given)
        assert x.dtype == torch.float32
        assert torch.equal(x, want.expand(count, channels, -1, -1))


def test_images_that_cannot_be_prepared_are_refused():
    """Several sizes in one batch, and channels that are neither 1 nor the model's."""
    model = toys.conv_vit()
    with pytest.raises(DuGIError, match=r'\(32, 32\), \(48, 64\).*one size'):
        model.prepare([toys.noise(), toys.noise(32, 32)])
    with pytest.raises(DuGIError, match='2 channels.*in_channels=3'):
        model.prepare(toys.noise(channels=2))


@pytest.mark.gpu
def test_cpu_and_gpu_agree():
    """The same weights and image give the same mask and loss on both devices."""
    model = dugi_mae().eval()
    images = torch.randn(2, 3, 64, 96)
    on_cpu, mask = model.predict_tokens(images)
    with torch.backends.cudnn.flags(allow_tf32=False):
        on_gpu, gpu_mask = model.cuda().predict_tokens(images.cuda())
    assert torch.equal(mask.ids_keep, gpu_mask.ids_keep.cpu())
    torch.testing.assert_close(on_cpu, on_gpu.cpu(), rtol=1e-3, atol=1e-3)
