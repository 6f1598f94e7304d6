"""The whole pre-training model: DuGI-MAE and the baselines it is compared with."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.models import DuGIMAE, MaskedConvViT
from dugi_mae.ops import TokenMask, patchify

ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
MASKINGS = {
    'entropy': dict(type='EntropyMasking'),
    'random': dict(type='RandomMasking'),
    'grey': dict(type='GreyValueMasking'),
    'softmax': dict(
        type='EntropyMasking',
        estimator='softmax',
        keep='lowest',
        keep_order='score',
        embed_dims=8,
    ),
}


def toy_config(masking='entropy', guided=True, vit=False, channels=3, norm_pix=False):
    """A model of a few thousand parameters, every part by its name."""
    extra = int(vit)
    backbone = dict(type='MaskedConvViT', arch=ARCH, in_channels=channels, img_size=64)
    if vit:
        backbone = dict(type='MaskedMAEViT', arch=VIT, img_size=64)
    return dict(
        type='DuGIMAE',
        data_preprocessor=dict(mean=[100.0] * channels, std=[50.0] * channels),
        masking=dict(MASKINGS[masking]),
        backbone=backbone,
        guidance=dict(
            type='DualDomainGuidance',
            embed_dims=16,
            num_heads=2,
            in_channels=channels,
            num_extra_tokens=extra,
        )
        if guided
        else None,
        neck=dict(
            type='MaskedDecoder',
            embed_dims=16,
            decoder_embed_dims=12,
            decoder_depth=1,
            decoder_num_heads=3,
            out_channels=channels,
            img_size=64,
            num_extra_tokens=extra,
        ),
        head=dict(type='DuGIPretrainHead', in_channels=channels, norm_pix=norm_pix),
    )


def toy(**kwargs) -> DuGIMAE:
    """A built toy model."""
    model = MODELS.build(toy_config(**kwargs))
    model.init_weights()
    return model


#: name, masking, guided, plain ViT.
METHODS = {
    'dugi-mae': ('entropy', True, False),
    'mcmae': ('random', False, False),
    'mcmae+ddg': ('random', True, False),
    'infmae': ('grey', False, False),
    'infmae+ddg': ('grey', True, False),
    'mae': ('random', False, True),
    'mae+ddg': ('random', True, True),
    'reference-code': ('softmax', True, False),
}


@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('name', METHODS)
def test_every_method_trains(name, norm_pix):
    """Each table row is this model with other parts: finite loss, full gradient."""
    masking, guided, vit = METHODS[name]
    model = toy(masking=masking, guided=guided, vit=vit, norm_pix=norm_pix)
    losses = model(torch.randn(2, 3, 64, 96), mode='loss')
    assert list(losses) == ['loss']
    assert torch.isfinite(losses['loss'])
    losses['loss'].backward()
    for key, p in model.named_parameters():
        assert (p.grad is not None) == p.requires_grad, key
    assert (model.guidance is None) == (not guided)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize(('height', 'width'), [(64, 64), (48, 112), (32, 32)])
def test_any_size_and_channel_count(height, width, channels):
    """Nothing is tied to 224 pixels, squares or three channels."""
    model = toy(channels=channels)
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
    model = MODELS.build(toy_config() | dict(neck=CutNeck()))
    with pytest.raises(DuGIError, match='predicts 14 tokens, .* 20 or the 15 masked'):
        model.loss(torch.randn(2, 3, 64, 80))


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


@pytest.mark.parametrize('vit', [False, True])
def test_masked_tokens_in_any_order_are_scored_in_their_places(vit):
    """The loss of masked tokens alone is that of all, with a mask of a user's own."""
    model = MODELS.build(toy_config(vit=vit) | dict(masking=ArgsortMasking())).eval()
    images = torch.randn(2, 3, 64, 80)
    torch.manual_seed(1)
    loss = model.loss(images)['loss']
    torch.manual_seed(1)
    pred, token_mask = model.predict_tokens(images)
    torch.testing.assert_close(loss, model.head.loss(pred, images, token_mask.mask))


def test_loss_is_the_error_on_masked_pixels():
    """The loss is the head's loss of what the parts, called one by one, predict."""
    model = toy()
    model.eval()
    images = torch.randn(2, 3, 64, 80)
    token_mask = model.masking(images)
    tokens = model.backbone(images, token_mask)
    tokens = model.guidance(tokens, images, token_mask)
    pred = model.neck(tokens, token_mask, (4, 5))
    masked = token_mask.mask.bool()
    want = (pred - patchify(images, 16))[masked].square().mean()
    got = model(images, mode='loss')['loss']
    assert got.item() == pytest.approx(want.item(), rel=1e-5)


@pytest.mark.parametrize('masking', ['entropy', 'grey', 'softmax'])
@pytest.mark.parametrize('vit', [False, True])
def test_an_image_is_treated_as_if_alone(masking, vit):
    """Masking, encoder, filter, guidance and prediction are batch independent."""
    model = toy(masking=masking, vit=vit)
    model.eval()
    images = torch.randn(3, 3, 64, 64)
    images[1] *= 30
    with torch.no_grad():
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
    model = toy()
    model(torch.randn(4, 3, 64, 64), mode='loss')['loss'].backward()
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
    model = toy()
    images = torch.randn(2, 3, 64, 64).cumsum(dim=-1) / 8
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    start = model.guidance.afdm.alpha.item()
    losses = []
    for _ in range(15):
        loss = model(images, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert model.guidance.afdm.alpha.item() != start


@pytest.mark.parametrize('as_views', [False, True])
def test_modes(as_views):
    """``tensor``, ``loss`` and ``predict``, with a tensor or mmpretrain's views."""
    model = toy()
    model.eval()
    images = torch.randn(2, 3, 64, 80)
    inputs = [images] if as_views else images
    tokens = model(inputs, mode='tensor')
    assert torch.equal(tokens, model.extract_feat(images))
    assert tokens.shape == (2, 5, 16)
    assert set(model(inputs, mode='loss')) == {'loss'}
    given = [DataSample().set_gt_label(i) for i in range(2)]
    for samples in (model(inputs, mode='predict'), model(inputs, given, 'predict')):
        result = model.reconstruct(images)
        for i, sample in enumerate(samples):
            assert torch.equal(sample.image, images[i])
            assert torch.equal(sample.prediction, result.prediction[i])
            assert torch.equal(sample.token_mask.flatten(), result.token_mask.mask[i])
            assert sample.token_mask.shape == (4, 5)
            assert not sample.prediction.requires_grad
    assert [s.gt_label.item() for s in given] == [0, 1]
    with pytest.raises(RuntimeError, match='Invalid mode'):
        model(inputs, mode='los')


@pytest.mark.parametrize('as_views', [False, True])
def test_train_step_through_the_preprocessor(as_views):
    """A batch as a data loader hands it trains one step, uint8 images normalised."""
    model = toy()
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    inputs = [images] if as_views else images
    batch = dict(inputs=inputs, data_samples=[DataSample(), DataSample()])
    data = model.data_preprocessor(batch, True)
    normalised = data['inputs'][0] if as_views else data['inputs']
    torch.testing.assert_close(normalised, (images.float() - 100) / 50)
    assert torch.isfinite(model(**data, mode='loss')['loss'])


@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('channels', [1, 3])
def test_reconstruction(channels, norm_pix):
    """The composite is the input where visible and the prediction where masked."""
    model = toy(channels=channels, norm_pix=norm_pix)
    images = 3 + torch.randn(2, channels, 48, 80)
    result = model.reconstruct(images)
    mask = model.masking(images).mask.reshape(2, 1, 3, 5)
    masked = mask.repeat_interleave(16, 2).repeat_interleave(16, 3).bool()
    assert torch.equal(result.images, images)
    assert torch.equal(result.visible, (~masked).float())
    masked = masked.expand_as(images)
    assert torch.equal(result.composite[~masked], images[~masked])
    assert torch.equal(result.composite[masked], result.prediction[masked])
    pred, _ = model.predict_tokens(images)
    pixels = pred
    if norm_pix:
        tokens = patchify(images, 16)
        std = (tokens.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        pixels = pred * std + tokens.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(patchify(result.prediction, 16), pixels.detach())


def test_parts_work_on_their_own():
    """``model.masking(images)`` and ``model.backbone(images, mask)`` are public."""
    model = toy()
    images = torch.randn(1, 3, 64, 64)
    token_mask = model.masking(images)
    assert model.backbone(images, token_mask).shape == (1, 4, 16)
    for part in ('masking', 'backbone', 'guidance', 'neck', 'head'):
        assert isinstance(getattr(model, part), torch.nn.Module)


def test_built_modules_are_taken_as_they_are():
    """Parts may be given as modules instead of configs."""
    config = toy_config()
    config.pop('type')
    config['backbone'] = MaskedConvViT(ARCH, img_size=64)
    model = DuGIMAE(**config)
    assert model.backbone is config['backbone']


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmengine', 'mmpretrain'])
def test_builds_in_any_default_scope(scope):
    """Sub-configs need no prefix whatever host is running."""
    if scope in ('mmdet', 'mmseg'):
        pytest.importorskip(scope)
    config = toy_config()
    config['type'] = 'mmpretrain.DuGIMAE'
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(config)
    assert type(model) is DuGIMAE
    assert torch.isfinite(model(torch.randn(1, 3, 64, 64), mode='loss')['loss'])


@pytest.mark.parametrize('host', ['mmdet', 'mmseg'])
def test_builds_from_the_registry_of_a_host(host):
    """The host's own registry finds it by the prefix."""
    registry = pytest.importorskip(f'{host}.registry').MODELS
    config = toy_config()
    config['type'] = 'mmpretrain.DuGIMAE'
    with DefaultScope.overwrite_default_scope(host):
        assert type(registry.build(config)) is DuGIMAE


@pytest.mark.parametrize('name', METHODS)
def test_state_dict_round_trip(name, tmp_path):
    """A saved model predicts the same after loading, strictly."""
    masking, guided, vit = METHODS[name]
    one, two = (toy(masking=masking, guided=guided, vit=vit) for _ in range(2))
    torch.save(one.state_dict(), tmp_path / 'model.pth')
    two.load_state_dict(torch.load(tmp_path / 'model.pth', weights_only=True))
    one.eval()
    two.eval()
    images = torch.randn(1, 3, 64, 64)
    outs = []
    for model in (one, two):
        torch.manual_seed(0)
        outs.append(model.predict_tokens(images)[0])
    assert torch.equal(*outs)


def test_three_channel_model_loads_into_one_channel_encoder():
    """Everything that sees pixels folds; what predicts them must be three-channel."""
    rgb, grey = toy(masking='softmax'), toy(masking='grey', channels=1)
    state = {
        k: v
        for k, v in rgb.state_dict().items()
        if not k.startswith(('masking.', 'neck.decoder_pred'))
    }
    missing, left_over = grey.load_state_dict(state, strict=False)
    assert sorted(missing) == ['neck.decoder_pred.bias', 'neck.decoder_pred.weight']
    assert not left_over
    assert grey.backbone.patch_embed1.proj.weight.shape[1] == 1
    assert grey.guidance.afdm.patch_embed.proj.weight.shape[1] == 1


def test_images_that_do_not_fit_are_refused():
    """Broken patches and wrong channel counts raise before anything is trained."""
    model = toy()
    with pytest.raises(DuGIError, match='40x64'):
        model(torch.randn(1, 3, 40, 64), mode='loss')
    with pytest.raises(DuGIError, match=r'expected \(B, C, H, W\)'):
        model(torch.randn(3, 64, 64), mode='loss')


@pytest.mark.gpu
def test_cpu_and_gpu_agree():
    """The same weights and image give the same mask and loss on both devices."""
    model = toy()
    model.eval()
    images = torch.randn(2, 3, 64, 96)
    on_cpu, mask = model.predict_tokens(images)
    with torch.backends.cudnn.flags(allow_tf32=False):
        on_gpu, gpu_mask = model.cuda().predict_tokens(images.cuda())
    assert torch.equal(mask.ids_keep, gpu_mask.ids_keep.cpu())
    torch.testing.assert_close(on_cpu, on_gpu.cpu(), rtol=1e-3, atol=1e-3)
