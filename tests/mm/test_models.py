"""The core's modules as mmpretrain, mmdet and mmseg build them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
import toys
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from mmpretrain.models.heads import MAEPretrainHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

import dugi_mae.mmpretrain  # noqa: F401  registers the models
from dugi_mae import create_pretrainer, models
from dugi_mae.errors import DuGIError
from dugi_mae.mm.models import DuGIMAE, DuGIPretrainHead
from dugi_mae.models import EntropyMasking, GreyValueMasking, RandomMasking
from dugi_mae.ops import patchify, unpatchify

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/pretrain'
SIZES = dict(embed_dims=16)
#: Registered name -> arguments that build something small.
REGISTERED = {
    'ConvViT': dict(arch=toys.ARCH),
    'MaskedConvViT': dict(arch=toys.ARCH),
    'EntropyMasking': {},
    'GreyValueMasking': {},
    'RandomMasking': {},
    'AdaptiveFrequencyModulation': SIZES,
    'DualDomainGuidance': SIZES | dict(num_heads=2),
    'MaskedDecoder': SIZES | dict(decoder_embed_dims=16, decoder_num_heads=2),
    'ViTPyramid': SIZES,
}
VIT = dict(type='MaskedMAEViT', arch=toys.VIT, img_size=64)
RANDOM = dict(type='RandomMasking')
#: Parts that make the plain ViT's rows of the table from the toy DuGI-MAE; those of
#: ConvViT are tested with the core's model.
METHODS = {
    'dugi-mae': {},
    'mae': dict(masking=RANDOM, guidance=None, backbone=VIT),
    'mae+ddg': dict(masking=RANDOM, backbone=VIT),
}


def build(**parts) -> DuGIMAE:
    """A toy model; parts replace those of the default."""
    model = MODELS.build(toys.pretrain_config(**parts))
    model.init_weights()
    return model


@pytest.mark.parametrize('name', REGISTERED)
def test_a_wrapper_is_the_core_module_with_init_cfg(name):
    """Found from a host; mmengine initializes it, but only where it is told to."""
    pytest.importorskip('mmdet')
    prefix = '' if name == 'ViTPyramid' else 'mmpretrain.'
    init_cfg = dict(type='Constant', layer=['Linear', 'Conv2d'], val=0.5)
    config = dict(type=prefix + name, **REGISTERED[name])
    with DefaultScope.overwrite_default_scope('mmdet'):
        plain = ROOT_MODELS.build(config)
        filled = ROOT_MODELS.build(config | dict(init_cfg=init_cfg))
    core = getattr(models, name)
    assert isinstance(plain, core) and isinstance(plain, BaseModule)
    assert inspect.signature(type(plain)) == inspect.signature(core)
    assert type(plain).__doc__ == core.__doc__
    assert plain.state_dict().keys() == core(**REGISTERED[name]).state_dict().keys()
    fresh = {k: v.clone() for k, v in plain.state_dict().items()}
    for model in (plain, filled):
        model.init_weights()
    assert all(torch.equal(v, fresh[k]) for k, v in plain.state_dict().items())
    for module in filled.modules():
        if type(module) in (torch.nn.Linear, torch.nn.Conv2d):
            assert (module.weight == 0.5).all()
    assert filled.init_cfg == init_cfg and filled.init_cfg is not init_cfg


@pytest.mark.parametrize('host', ['mmdet', 'mmseg'])
def test_the_pretraining_model_builds_in_a_host(host):
    """Its parts need no prefix, whatever the default scope is."""
    registry = pytest.importorskip(f'{host}.registry').MODELS
    config = toys.pretrain_config() | dict(type='mmpretrain.DuGIMAE')
    with DefaultScope.overwrite_default_scope(host):
        model = registry.build(config)
    assert type(model) is DuGIMAE
    assert torch.isfinite(model(torch.randn(1, 3, 64, 64), mode='loss')['loss'])


@pytest.mark.parametrize('name', METHODS)
def test_every_method_trains(name):
    """Each table row is this model with other parts: a step, a round trip."""
    model, again = (build(**METHODS[name]) for _ in range(2))
    images = torch.randn(2, 3, 64, 96)
    losses = model(images, mode='loss')
    assert list(losses) == ['loss']
    losses['loss'].backward()
    for key, p in model.named_parameters():
        assert (p.grad is not None) == p.requires_grad, key
    again.load_state_dict(model.state_dict())
    results = []
    for m in (model.eval(), again.eval()):
        torch.manual_seed(0)
        results.append(m.reconstruct(images).prediction)
    assert torch.equal(*results)


def test_a_config_gives_the_model_of_the_core():
    """The same weights for the same seed, and the same loss."""
    config = Config.fromfile(CONFIGS / 'dugi-mae_convvit-tiny_infrared-unlabeled.py')
    torch.manual_seed(0)
    ours = MODELS.build(config.model)
    torch.manual_seed(0)
    core = create_pretrainer('tiny')
    state = core.state_dict()
    assert ours.state_dict().keys() == state.keys()
    assert all(torch.equal(v, state[k]) for k, v in ours.state_dict().items())
    images = torch.randn(1, 3, 224, 224)
    assert torch.equal(ours.loss(images)['loss'], core(images))
    assert (ours.mean, ours.std, ours.in_channels) == (core.mean, core.std, 3)


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        (
            'dugi-mae_convvit-base_reference-code',
            dict(masking=EntropyMasking(estimator='softmax', embed_dims=768)),
        ),
        (
            'infmae_convvit-base_4xb64-coslr-400e_inf590k',
            dict(masking=GreyValueMasking(score='embedding'), guidance=False),
        ),
        (
            'mcmae_convvit-base_4xb96-coslr-400e_inf590k',
            dict(masking=RandomMasking(), guidance=False, decoder_depth=8),
        ),
    ],
)
def test_converted_files_fit_the_configs(name, options):
    """The three published families, at full size: names and shapes."""
    with torch.device('meta'):
        core = create_pretrainer('base', **options)
        ours = MODELS.build(Config.fromfile(CONFIGS / f'{name}.py').model)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (core, ours)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    'backbone',
    [
        dict(arch=dict(toys.ARCH, embed_dims=(8, 8, 24), num_heads=3)),
        dict(in_channels=1),
        dict(img_size=96),
        VIT | dict(arch=toys.VIT | dict(embed_dims=24, num_heads=3)),
        VIT | dict(in_channels=1),
    ],
    ids=['arch', 'in_channels', 'img_size', 'vit arch', 'vit in_channels'],
)
def test_one_override_of_the_backbone_changes_all_parts(backbone):
    """Widths, heads, channels and sizes follow; the model trains and reconstructs."""
    config = toys.pretrain_config()
    config['backbone'] = {**config['backbone'], **backbone}
    config['masking'] = dict(type='EntropyMasking', estimator='softmax')
    model = MODELS.build(config)
    encoder, channels = model.backbone, model.backbone.in_channels
    assert model.neck.decoder_embed.in_features == encoder.embed_dims
    assert model.neck.decoder_pred.out_features == 256 * channels
    assert model.neck.pos_grid == (backbone.get('img_size', 64) // 16,) * 2
    assert model.neck.num_extra_tokens == encoder.num_extra_tokens
    assert model.guidance.inject.num_heads == encoder.num_heads
    assert model.guidance.num_extra_tokens == encoder.num_extra_tokens
    assert model.guidance.afdm.patch_embed.proj.in_channels == channels
    assert model.head.in_channels == model.in_channels == channels
    # The loader gives three equal channels, the config three means.
    images = torch.randint(0, 256, (2, 1, 64, 96)).byte().expand(-1, 3, -1, -1)
    batch = dict(inputs=[images], data_samples=[DataSample(), DataSample()])
    images = model.data_preprocessor(batch, training=True)['inputs']
    model(images, mode='loss')['loss'].backward()
    assert model.neck.decoder_pred.weight.grad.abs().max() > 0
    [sample, _] = model(images, mode='predict')
    assert sample.prediction.shape == (channels, 64, 96)


@pytest.mark.parametrize(
    ('part', 'key', 'wanted', 'value'),
    [
        ('masking', 'patch_size', 16, 8),
        ('guidance', 'embed_dims', 16, 8),
        ('guidance', 'num_extra_tokens', 1, 0),
        ('neck', 'out_channels', 3, 1),
        ('head', 'in_channels', 3, 1),
    ],
)
def test_a_part_that_contradicts_the_backbone_is_refused(part, key, wanted, value):
    """The key is named, and to leave it out is the remedy; an equal value is fine."""
    config = toys.pretrain_config(backbone=VIT)
    config[part][key] = wanted
    MODELS.build(config)
    config[part][key] = value
    match = rf'model\.{part}\.{key}={value}, .* {wanted}: leave'
    with pytest.raises(DuGIError, match=match):
        MODELS.build(config)


def test_what_may_differ_from_the_backbone_may():
    """Heads of the guidance and the image side of the decoder are only defaults."""
    config = toys.pretrain_config()
    config['guidance']['num_heads'] = 4
    config['neck']['img_size'] = 96
    model = MODELS.build(config)
    assert model.guidance.inject.num_heads == 4
    assert model.neck.pos_grid == (6, 6)


def test_built_modules_are_taken_as_they_are():
    """Parts may be given as modules instead of configs."""
    core = toys.autoencoder()
    names = ('masking', 'backbone', 'neck', 'head', 'guidance')
    model = DuGIMAE(**{name: getattr(core, name) for name in names})
    assert all(getattr(model, name) is getattr(core, name) for name in names)
    images = torch.randn(1, 3, 64, 64)
    torch.manual_seed(0)
    loss = model.loss(images)['loss']
    torch.manual_seed(0)
    assert torch.equal(loss, core(images))


@pytest.mark.parametrize('as_views', [False, True])
def test_modes(as_views):
    """``tensor``, ``loss`` and ``predict``, with a tensor or mmpretrain's views."""
    model = build().eval()
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


def test_a_step_through_the_preprocessor():
    """A batch of a data loader trains one step, uint8 images normalized."""
    model = build(data_preprocessor=dict(mean=[100.0] * 3, std=[50.0] * 3))
    assert (model.mean, model.std) == (100, 50)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    batch = dict(inputs=images, data_samples=[DataSample(), DataSample()])
    data = model.data_preprocessor(batch, True)
    torch.testing.assert_close(data['inputs'], (images.float() - 100) / 50)
    own = model.prepare(images[0, 0].numpy())
    torch.testing.assert_close(data['inputs'][:1, :1], own[:, :1])
    assert torch.isfinite(model(**data, mode='loss')['loss'])


@pytest.mark.parametrize('criterion', ['L1', 'L2'])
@pytest.mark.parametrize('norm_pix', [False, True])
@pytest.mark.parametrize('channels', [1, 3])
def test_the_head_equals_the_stock_one(criterion, norm_pix, channels):
    """On square images of all tokens, which is what the stock head can do."""
    loss = dict(type='mmpretrain.PixelReconstructionLoss', criterion=criterion)
    stock = MAEPretrainHead(loss, norm_pix, 8, channels)
    images = torch.randn(2, channels, 32, 32)
    pred, mask = torch.randn(2, 16, 64 * channels), toys.random_mask(2, 16, 4).mask
    for config in (loss, None) if criterion == 'L2' else (loss,):
        head = DuGIPretrainHead(config, norm_pix, 8, channels)
        assert torch.equal(
            head.loss(pred, images, mask), stock.loss(pred, images, mask)
        )
    assert torch.equal(patchify(images, 8), stock.patchify(images))
    assert torch.equal(unpatchify(pred, (4, 4), 8), stock.unpatchify(pred))
