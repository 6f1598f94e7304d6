"""Toy models and data for all tests. Imports no OpenMMLab: tests of the core use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dugi_mae.models import (
    ConvViT,
    DualDomainGuidance,
    MaskedAutoencoder,
    MaskedConvViT,
    MaskedDecoder,
    MaskedPixelHead,
    RandomMasking,
)
from dugi_mae.models.backbones import resolve_arch
from dugi_mae.ops import TokenMask, make_token_mask

#: Sizes of a ConvViT of 12 thousand parameters.
ARCH = dict(embed_dims=(8, 12, 16), depths=(1, 1, 2), num_heads=2)
#: The same as it stands in a config, in place of the named arch of its base.
ARCH_CONFIG = dict(_delete_=True, **ARCH)
#: Channels of its four maps.
WIDTHS = (8, 12, 16, 16)
#: Sizes of mmpretrain's ViT.
VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)


def random_mask(batch: int, total: int, count: int) -> TokenMask:
    """A mask with ``count`` visible tokens, unsorted, other ones in every image."""
    ids_keep = [torch.randperm(total)[:count] for _ in range(batch)]
    return make_token_mask(torch.stack(ids_keep), total)


def stir(module: nn.Module, std: float = 0.1) -> nn.Module:
    """Move every parameter away from its start, so that none is zero or one."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * std)
    return module


def assert_same_training(
    one: nn.Module, two: nn.Module, run: Callable[[nn.Module], Tensor], **tolerance
) -> None:
    """Raise unless two models of equal weights give equal outputs and gradients.

    Args:
        one: The model whose weights are taken.
        two: Another form of it.
        run: Calls a model; the result's places count differently in the gradient.
        **tolerance: ``rtol`` and ``atol``.
    """
    two.load_state_dict(one.state_dict())
    outputs = [run(model) for model in (one, two)]
    torch.testing.assert_close(*outputs, **tolerance)
    for output in outputs:
        weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype)
        (output * weights.view_as(output)).sum().backward()
    gradients = dict(two.named_parameters())
    for name, parameter in one.named_parameters():
        if parameter.requires_grad:
            found = gradients[name].grad
            torch.testing.assert_close(found, parameter.grad, msg=name, **tolerance)


class Payload:
    """An object whose unpickling calls a function: what a malicious file holds."""

    def __init__(self, function: Callable, *args) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


def conv_vit(**kwargs) -> ConvViT:
    """A toy dense encoder."""
    return ConvViT(**{'arch': ARCH, 'img_size': 64, **kwargs})


def masked_conv_vit(**kwargs) -> MaskedConvViT:
    """A toy encoder for pre-training."""
    return MaskedConvViT(**{'arch': ARCH, 'img_size': 64, **kwargs})


def autoencoder(
    masking: nn.Module | None = None,
    guidance: bool = True,
    in_channels: int = 3,
    norm_pix: bool = False,
    **backbone,
) -> MaskedAutoencoder:
    """A toy pre-training model."""
    width = ARCH['embed_dims'][-1]
    guide = DualDomainGuidance(width, num_heads=2, depth=2, in_channels=in_channels)
    return MaskedAutoencoder(
        masking or RandomMasking(),
        masked_conv_vit(in_channels=in_channels, **backbone),
        MaskedDecoder(
            width,
            decoder_embed_dims=16,
            decoder_depth=1,
            decoder_num_heads=2,
            out_channels=in_channels,
            img_size=64,
        ),
        MaskedPixelHead(norm_pix, in_channels=in_channels),
        guide if guidance else None,
    )


def pretrain_config(**parts) -> dict:
    """Config of a toy ``DuGIMAE``; parts replace those of the default."""
    return {
        'type': 'DuGIMAE',
        'data_preprocessor': dict(mean=[108.375] * 3, std=[51.0] * 3),
        'masking': dict(type='EntropyMasking'),
        'backbone': dict(type='MaskedConvViT', arch=ARCH, img_size=64),
        'guidance': dict(type='DualDomainGuidance', depth=2),
        'neck': dict(
            type='MaskedDecoder',
            decoder_embed_dims=16,
            decoder_depth=1,
            decoder_num_heads=2,
        ),
        'head': dict(type='DuGIPretrainHead'),
        **parts,
    }


def shrink_backbone(model: dict) -> dict[int, int]:
    """Give the encoder of a config toy widths; what each full width has become."""
    backbone = model['backbone']
    backbone['init_cfg'] = None
    if 'ConvViT' not in backbone['type']:
        backbone['arch'] = VIT
        return {768: VIT['embed_dims']}
    old = resolve_arch(backbone['arch']).embed_dims
    backbone['arch'] = ARCH
    return dict(zip(old, ARCH['embed_dims'], strict=True))


def shrink(node: object, widths: dict[int, int]) -> None:
    """Give everything behind the encoder of a config toy widths.

    Args:
        node: A part of the config, changed in place.
        widths: What :func:`shrink_backbone` gave; other widths become 16.
    """
    if isinstance(node, (list, tuple)):
        for item in node:
            shrink(item, widths)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ('in_channels', 'embed_dims'):
                many = isinstance(value, (list, tuple))
                values = [widths.get(v, 16) for v in (value if many else [value])]
                node[key] = values if many else values[0]
            elif key in ('out_channels', 'feat_channels', 'conv_out_channels'):
                node[key] = 16
            elif key == 'fc_out_channels':
                node[key] = 32
            else:
                shrink(value, widths)


def noise(height: int = 48, width: int = 64, channels: int = 0, seed: int = 0):
    """``(H, W)`` or ``(H, W, channels)`` uint8 noise."""
    shape = (height, width, channels) if channels else (height, width)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def write_image(path: Path, image: np.ndarray | None = None, **options) -> Path:
    """Write an image, by default :func:`noise`; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = noise(**options) if image is None else image
    assert cv2.imwrite(str(path), pixels)
    return path


def write_images(folder: Path, count: int, suffix: str = '.png', **options) -> Path:
    """Write ``count`` different images of noise, ``0.png`` and so on."""
    for i in range(count):
        write_image(folder / f'{i}{suffix}', seed=i, **options)
    return folder


def write_coco(folder: Path, classes: Sequence[str], count: int = 3) -> Path:
    """Write a COCO set; ids as crooked as they come, the last image has no box."""
    images, annotations = [], []
    write_images(folder / 'images', count, height=96, width=128)
    for i in range(count):
        images.append(dict(id=7 * i, file_name=f'{i}.png', width=128, height=96))
        for k in range(2 * (i < count - 1)):
            x, y, w, h = 10 + 50 * k, 20, 30, 40
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=7 * i,
                    category_id=3 * (k % len(classes)),
                    bbox=[x, y, w, h],
                    area=w * h,
                    iscrowd=0,
                    segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]],
                )
            )
    categories = [dict(id=3 * i, name=name) for i, name in enumerate(classes)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (folder / 'annotations').mkdir()
    for split in ('train', 'val', 'test'):
        (folder / 'annotations' / f'{split}.json').write_text(json.dumps(content))
    return folder


def target_sample(
    boxes: Sequence[tuple[int, int, int, int]] = ((10, 12, 13, 15),),
    size: tuple[int, int] = (48, 64),
    channels: int = 1,
    dtype: type = np.uint8,
) -> dict:
    """What a transform gets: a flat image of grey 50 with targets of grey 180.

    Boxes are top, left, bottom, right.
    """
    mask = np.zeros(size, np.uint8)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = 1
    image = np.where(mask, 180, 50).astype(dtype)[..., None].repeat(channels, axis=2)
    return dict(img=image, gt_seg_map=mask, seg_fields=['gt_seg_map'], img_shape=size)


def count_targets(mask: np.ndarray) -> int:
    """Number of 8-connected targets of a label map."""
    return cv2.connectedComponents((mask == 1).astype(np.uint8), connectivity=8)[0] - 1
