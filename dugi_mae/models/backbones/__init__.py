"""Encoders: dense for downstream tasks, masked for pre-training."""

from .arch import ARCHS, ConvViTArch, resolve_arch
from .conv_vit import ConvViT
from .masked_conv_vit import MaskedConvViT
from .masked_mae_vit import MaskedMAEViT
from .pretrained import DuGIPretrained

__all__ = [
    'ARCHS',
    'ConvViT',
    'ConvViTArch',
    'DuGIPretrained',
    'MaskedConvViT',
    'MaskedMAEViT',
    'resolve_arch',
]
