"""Encoders and pre-training models by name, in plain PyTorch."""

from __future__ import annotations

import doctest

import cv2
import numpy as np
import pytest
import torch
import toys

from dugi_mae import create_encoder, create_pretrainer, list_models, load_infrared, zoo
from dugi_mae.checkpoints.io import file_sha256, read_state_dict, write_checkpoint
from dugi_mae.errors import DuGIError
from dugi_mae.models import ConvViT, EntropyMasking, GreyValueMasking, RandomMasking
from dugi_mae.models.backbones import conv_vit
from dugi_mae.zoo import WEIGHTS, PublishedWeights, weights_path

NAME = 'dugi-mae_convvit-tiny_infrared-unlabeled'
#: Losses of three steps of the tree before the rebuild.
LOSSES = (1.2812063694000244, 1.204346776008606, 1.1271387338638306)


def shipped() -> dict[str, torch.Tensor]:
    """The tensors of the file."""
    return read_state_dict(weights_path(NAME))


def test_weights_ship_for_every_model_that_is_listed():
    """Each file is there, and its name ends with the start of its hash."""
    assert list_models() == sorted(WEIGHTS) == [NAME]
    for name in list_models():
        path = weights_path(name)
        assert path.stem.endswith(file_sha256(path)[:8])


def test_an_image_file_becomes_maps(tmp_path):
    """What the README shows, on a 16-bit file."""
    image = toys.noise(100, 130).astype(np.uint16) * 200
    cv2.imwrite(str(tmp_path / 'image.png'), image)
    encoder = create_encoder('tiny', pretrained=True).eval()
    image = load_infrared(tmp_path / 'image.png')
    with torch.no_grad():
        maps = encoder(encoder.prepare(image))
    sizes = [(64, 25, 33), (128, 13, 17), (192, 7, 9), (192, 4, 5)]
    assert [tuple(x.shape[1:]) for x in maps] == sizes
    assert encoder.out_channels == tuple(size[0] for size in sizes)
    assert encoder.strides == (4, 8, 16, 32)
    assert (encoder.mean, encoder.std) == (108.375, 51.0)


@pytest.mark.parametrize(
    ('name', 'pretrained'), [('tiny', True), (NAME, True), ('tiny', weights_path(NAME))]
)
def test_an_encoder_has_the_tensors_of_the_file(name, pretrained):
    """By the name of the weights, by that of their size, and by their path."""
    encoder = create_encoder(name, pretrained)
    state, stored = encoder.state_dict(), shipped()
    assert len(state) > 150
    for key, value in state.items():
        assert torch.equal(value, stored[f'backbone.{key}'].float()), key


def test_input_channels_are_folded_in_fp32():
    """The file is in fp16; a sum in fp16 would be wrong by 1e-3."""
    weight = create_encoder('tiny', True, in_channels=1).patch_embed1.proj.weight
    stored = shipped()['backbone.patch_embed1.proj.weight']
    assert stored.dtype == torch.float16
    wanted = stored.double().sum(dim=1, keepdim=True)
    assert (weight.double() - wanted).abs().max() < 1e-6


def test_arguments_of_the_encoder():
    """Maps to return, and whatever else :class:`ConvViT` takes."""
    encoder = create_encoder(toys.ARCH, out_indices=(2, 0), window_size=2, img_size=64)
    assert isinstance(encoder, ConvViT)
    assert (encoder.out_channels, encoder.strides) == ((16, 8), (16, 4))
    assert len(encoder(torch.randn(1, 3, 64, 64))) == 2


def test_a_pretrainer_has_the_tensors_of_the_file():
    """All of them: masking, encoder, guidance and decoder."""
    model = create_pretrainer('tiny', pretrained=True)
    state, stored = model.state_dict(), shipped()
    assert state.keys() == stored.keys()
    for key, value in state.items():
        assert torch.equal(value.flatten(), stored[key].float().flatten()), key
    assert (model.mean, model.std, model.in_channels) == (108.375, 51.0, 3)
    images = model.prepare(toys.noise(224, 224))
    assert model.reconstruct(images).prediction.isfinite().all()


@pytest.mark.parametrize(
    ('masking', 'cls'),
    [
        ('entropy', EntropyMasking),
        ('random', RandomMasking),
        ('grey_value', GreyValueMasking),
        (EntropyMasking(0.5, keep='lowest'), EntropyMasking),
    ],
)
@pytest.mark.parametrize('guidance', [False, True])
def test_parts_of_a_pretrainer(masking, cls, guidance, tmp_path):
    """A masking by name or as a module, with or without guidance; saved and loaded."""
    options = dict(masking=masking, guidance=guidance, in_channels=1, img_size=64)
    options |= dict(decoder_embed_dims=16, decoder_num_heads=2)
    model = create_pretrainer(toys.ARCH, mask_ratio=0.6, norm_pix=True, **options)
    assert type(model.masking) is cls
    assert model.masking.mask_ratio == (0.6 if isinstance(masking, str) else 0.5)
    assert (model.guidance is not None) == guidance
    assert model.in_channels == model.head.in_channels == 1
    assert model.head.norm_pix
    assert model(torch.randn(2, 1, 64, 96)).isfinite()
    path = tmp_path / 'model.safetensors'
    write_checkpoint(dict(state_dict=toys.stir(model).state_dict()), path)
    again = create_pretrainer(toys.ARCH, path, **options)
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key])
    encoder = create_encoder(toys.ARCH, path, in_channels=1, img_size=64)
    assert torch.equal(encoder.pos_embed, model.backbone.pos_embed)


@pytest.mark.parametrize(
    ('arch', 'width', 'heads'), [('tiny', 128, 4), ('base', 512, 16)]
)
def test_decoders_have_the_sizes_of_the_configs(arch, width, heads):
    """The paper's, and a small one for the smallest encoder."""
    with torch.device('meta'):
        neck = create_pretrainer(arch).neck
    assert neck.decoder_embed.out_features == width
    assert {block.attn.num_heads for block in neck.decoder_blocks} == {heads}
    assert len(neck.decoder_blocks) == 2


@pytest.mark.parametrize(
    ('call', 'match'),
    [
        (lambda: create_encoder('tinny'), "'tinny' is unknown: did you mean 'tiny'"),
        (lambda: create_encoder('base', True), f"'base'.*{NAME}.*path"),
        (lambda: create_encoder('tiny', 'x.pth'), 'x.pth does not exist'),
        (lambda: create_pretrainer('tiny', masking='entropi'), "mean 'entropy'"),
        (lambda: create_encoder('small', weights_path(NAME)), 'wrong arch'),
        (lambda: weights_path('tiny'), "name='tiny' is unknown"),
    ],
)
def test_wrong_names_and_files_are_explained(call, match):
    """The nearest name, or what to give instead."""
    with pytest.raises(DuGIError, match=match):
        call()


def test_an_installation_without_the_file_says_so(monkeypatch):
    """The weights belong to the wheel."""
    monkeypatch.setitem(WEIGHTS, NAME, PublishedWeights('tiny', 'gone.safetensors'))
    with pytest.raises(DuGIError, match=r'gone\.safetensors .*install'):
        create_encoder('tiny', pretrained=True)


def test_seeded_training_is_what_it_was():
    """Three steps of the tiny model give the losses of the tree before the rebuild."""
    torch.manual_seed(0)
    model = create_pretrainer('tiny').train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 224, 224, generator=generator)
    # Another processor rounds otherwise, and the optimizer enlarges that.
    for wanted, error in zip(LOSSES, (1e-6, 1e-5, 1e-5), strict=True):
        loss = model(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.item() == pytest.approx(wanted, rel=error)


@pytest.mark.parametrize('module', [zoo, conv_vit])
def test_examples_of_docstrings(module):
    """They give what they say."""
    failed, tried = doctest.testmod(module)
    assert tried and not failed
