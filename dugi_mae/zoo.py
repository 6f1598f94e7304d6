"""Encoders, pre-training models and the small-target network, with weights or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from dugi_mae.checkpoints.io import check_checkpoint, load_weights
from dugi_mae.checkpoints.pretrained import load_encoder
from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.models import (
    ConvViT,
    DualDomainGuidance,
    EntropyMasking,
    GreyValueMasking,
    MaskedAutoencoder,
    MaskedConvViT,
    MaskedDecoder,
    MaskedPixelHead,
    RandomMasking,
)
from dugi_mae.models.autoencoder import derive_sizes
from dugi_mae.models.backbones import ARCHS
from dugi_mae.models.masking import BaseMasking
from dugi_mae.models.small_target import SmallTargetNet


class PublishedWeights(NamedTuple):
    """Weights that ship with the package: encoder, guidance and decoder.

    Attributes:
        arch: Name of the encoder's size.
        file: Name in the folder ``weights``; it ends with the start of its SHA-256.
        mean: Grey value, 0 to 255, that becomes 0.
        std: Grey values that become 1.
    """

    arch: str
    file: str
    mean: float = 108.375
    std: float = 51.0


#: By name; the first one of an arch is what ``pretrained=True`` means.
WEIGHTS = {
    'dugi-mae_convvit-tiny_infrared-unlabeled': PublishedWeights(
        'tiny',
        'dugi-mae_convvit-tiny_infrared-unlabeled_fp16-177637d3.safetensors',
    ),
}
#: Of small-target models by name: config and weights.
SMALL_TARGET_MODELS = {
    'irstd-nano': (
        'configs/small_target/irstd-nano_sirst.py',
        'weights/irstd-nano_sirst_fp16-cd64f95d.safetensors',
    ),
    'irstd-nano_nudt-sirst': (
        'configs/small_target/irstd-nano_nudt-sirst.py',
        'weights/irstd-nano_nudt-sirst_fp16-5fddece7.safetensors',
    ),
}
MASKINGS = dict(
    entropy=EntropyMasking, grey_value=GreyValueMasking, random=RandomMasking
)
#: Width and heads of the decoder, where they are not those of the paper.
_DECODERS = dict(tiny=(128, 4))


def list_models() -> list[str]:
    """Names of the models whose weights ship with the package."""
    return sorted(WEIGHTS)


def create_encoder(
    name_or_arch: str | dict = 'base',
    pretrained: bool | str | Path | None = None,
    in_channels: int = 3,
    out_indices: Sequence[int] = (0, 1, 2, 3),
    **kwargs,
) -> ConvViT:
    """Create an encoder for downstream tasks.

    Args:
        name_or_arch: A name of :func:`list_models`, ``'tiny'``, ``'small'``,
            ``'base'``, ``'large'`` or a dict of sizes.
        pretrained: ``True`` loads the weights of that name, a path those of a file (a
            pre-training checkpoint, a published one or a bare encoder; every tensor
            must fit); ``None`` draws fresh ones.
        in_channels: Channels of the image; weights are folded to it.
        out_indices: Which maps to return, at strides 4, 8, 16 and 32.
        **kwargs: More arguments of :class:`~dugi_mae.models.ConvViT`.

    Returns:
        ``(B, C, H, W)`` -> tuple of maps. It knows ``out_channels``, ``strides``,
        ``mean`` and ``std``; ``prepare`` makes its input of images.

    Raises:
        DuGIError: If the name is unknown or the weights are missing or do not fit.

    Example:
        >>> encoder = create_encoder('tiny', pretrained=True).eval()
        >>> encoder.out_channels, encoder.strides
        ((64, 128, 192, 192), (4, 8, 16, 32))
    """
    arch, weights = _resolve(name_or_arch, pretrained)
    encoder = ConvViT(arch, in_channels, out_indices, **kwargs)
    if pretrained:
        load_encoder(encoder, _path(weights, pretrained))
    return _with_scale(encoder, weights)


def create_pretrainer(
    name_or_arch: str | dict = 'base',
    pretrained: bool | str | Path | None = None,
    in_channels: int = 3,
    masking: str | BaseMasking = 'entropy',
    mask_ratio: float = 0.75,
    guidance: bool = True,
    norm_pix: bool = False,
    img_size: int = 224,
    decoder_depth: int = 2,
    decoder_embed_dims: int | None = None,
    decoder_num_heads: int | None = None,
) -> MaskedAutoencoder:
    """Create a masked autoencoder for pre-training.

    Args:
        name_or_arch: As in :func:`create_encoder`.
        pretrained: ``True`` loads the weights of that name, a path those of a
            checkpoint of this model; ``None`` draws fresh ones.
        in_channels: Channels of the image.
        masking: ``'entropy'`` (DuGI-MAE), ``'random'`` (MCMAE), ``'grey_value'``
            (InfMAE), or a module.
        mask_ratio: Share of the tokens to mask.
        guidance: Whether frequency guidance enriches the tokens (DuGI-MAE).
        norm_pix: Normalize every target token (off in the paper).
        img_size: Side of the square image the stored position embeddings are made for.
        decoder_depth: Blocks of the decoder.
        decoder_embed_dims: Its width; ``None`` is 128 for tiny, else the paper's 512.
        decoder_num_heads: Its heads; ``None`` is 4 for tiny, else the paper's 16.

    Returns:
        ``(B, C, H, W)`` -> loss; ``reconstruct`` gives pictures.

    Raises:
        DuGIError: If a name is unknown or the weights are missing or do not fit.
    """
    arch, weights = _resolve(name_or_arch, pretrained)
    backbone = MaskedConvViT(arch, in_channels, img_size)
    sizes = derive_sizes(backbone)
    dims, heads = _DECODERS.get(arch if isinstance(arch, str) else '', (512, 16))
    neck = MaskedDecoder(
        decoder_embed_dims=decoder_embed_dims or dims,
        decoder_depth=decoder_depth,
        decoder_num_heads=decoder_num_heads or heads,
        img_size=img_size,
        **sizes['neck'],
    )
    if isinstance(masking, str):
        check_choice('masking', masking, MASKINGS)
        masking = MASKINGS[masking](mask_ratio, patch_size=backbone.patch_size)
    model = MaskedAutoencoder(
        masking,
        backbone,
        neck,
        MaskedPixelHead(norm_pix, **sizes['head']),
        DualDomainGuidance(num_heads=backbone.num_heads, **sizes['guidance'])
        if guidance
        else None,
    )
    if pretrained:
        load_weights(model, _path(weights, pretrained))
    return _with_scale(model, weights)


def create_small_target_net(
    pretrained: bool | str | Path | None = None, **kwargs
) -> SmallTargetNet:
    """Create the network that finds small targets in grey images by itself.

    Args:
        pretrained: The name of a model that ships, ``True`` for ``irstd-nano``, or the
            path of a file: what ``tools/train.py`` wrote, or the network alone.
        **kwargs: Of :class:`~dugi_mae.models.small_target.SmallTargetNet`.

    Returns:
        ``prepare`` makes its input of images, ``predict`` gives probabilities.

    Raises:
        DuGIError: If the weights are missing or do not fit.

    Example:
        >>> import numpy as np
        >>> net = create_small_target_net(pretrained=True).eval()
        >>> net.predict(net.prepare(np.zeros((200, 300), np.uint8))).shape
        torch.Size([1, 1, 200, 300])
    """
    net = SmallTargetNet(**kwargs)
    name = 'irstd-nano' if pretrained is True else pretrained
    if name in SMALL_TARGET_MODELS:
        pretrained = small_target_model(name)[1]
    if pretrained:
        load_weights(net, pretrained, prefix='decode_head.net.')
    return net


def small_target_model(name: str) -> tuple[Path, Path]:
    """Config and weights of a small-target model that ships, such as ``irstd-nano``.

    Raises:
        DuGIError: If the name is unknown or a file is not there.
    """
    check_choice('model', name, SMALL_TARGET_MODELS)
    config, weights = map(find_shipped, SMALL_TARGET_MODELS[name])
    return config, weights


def false_alarm_threshold(name: str, rate: float) -> float:
    """The lowest probability at which a model that ships gives few false alarms.

    Args:
        name: Such as ``irstd-nano``.
        rate: Pixels of false alarms over all pixels, such as 10e-6, on the images that
            the model's card names.

    Raises:
        DuGIError: If the name is unknown, or no threshold gives as few.
    """
    check_choice('model', name, SMALL_TARGET_MODELS)
    curve = json.loads(find_shipped(f'weights/{name}_curve.json').read_text())
    # Highest thresholds may give more: what is left of a target is off its centre.
    points = zip(curve['thresholds'], curve['fa'], strict=True)
    good = [threshold for threshold, false_alarms in points if false_alarms <= rate]
    if not good:
        raise DuGIError(
            f'{name} has {min(curve["fa"]):.1e} false alarms or more at any threshold: '
            'give fa no less'
        )
    return min(good)


def find_shipped(path: str) -> Path:
    """A file of a checkout that an installed package has, too.

    Args:
        path: Below the checkout, such as ``weights/NAME``.

    Raises:
        DuGIError: If it is not there.
    """
    package = Path(__file__).resolve().parent
    # A checkout has it beside the package, an installation inside it.
    found = [place / path for place in (package.parent, package / '.mim')]
    found = [file for file in found if file.is_file()]
    if not found:
        raise DuGIError(
            f'{path} is not in this installation: install the package from its wheel '
            'or checkout again'
        )
    return found[0]


def weights_path(name: str) -> Path:
    """The file of published weights, in a checkout or an installed package.

    Args:
        name: One of :func:`list_models`.

    Raises:
        DuGIError: If the name is unknown or the file is not there.
    """
    check_choice('name', name, WEIGHTS)
    return _path(WEIGHTS[name], True)


def _resolve(
    name_or_arch: str | dict, pretrained: bool | str | Path | None
) -> tuple[str | dict, PublishedWeights | None]:
    """The arch, and the published weights that are meant."""
    if isinstance(name_or_arch, dict):
        name = None
    else:
        check_choice('name_or_arch', name_or_arch, [*ARCHS, *WEIGHTS])
        name = next(
            (n for n, w in WEIGHTS.items() if name_or_arch in (n, w.arch)), None
        )
    if pretrained is True and name is None:
        raise DuGIError(
            f'no weights ship for {name_or_arch!r}: choose from '
            f'{", ".join(list_models())}, or give pretrained a path'
        )
    weights = WEIGHTS[name] if name and pretrained is True else None
    arch = WEIGHTS[name_or_arch].arch if name_or_arch == name else name_or_arch
    return arch, weights


def _path(weights: PublishedWeights | None, pretrained: bool | str | Path) -> Path:
    """The file to load."""
    if weights is None:
        return check_checkpoint(pretrained)
    return find_shipped(f'weights/{weights.file}')


def _with_scale(model: nn.Module, weights: PublishedWeights | None) -> nn.Module:
    """Give a model the grey-value scale of its weights."""
    if weights is not None:
        model.mean, model.std = weights.mean, weights.std
    return model
