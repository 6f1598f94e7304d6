"""Encoders: dense for downstream tasks, masked for pre-training."""

from .arch import ARCHS, ConvViTArch, resolve_arch
from .conv_vit import ConvViT
from .masked_conv_vit import MaskedConvViT

__all__ = ['ARCHS', 'ConvViT', 'ConvViTArch', 'MaskedConvViT', 'resolve_arch']
