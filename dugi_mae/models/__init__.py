"""Networks of plain PyTorch; ``dugi_mae.mm`` registers them for OpenMMLab."""

from .autoencoder import MaskedAutoencoder, Reconstruction
from .backbones import ConvViT, MaskedConvViT
from .decoder import MaskedDecoder
from .guidance import AdaptiveFrequencyModulation, DualDomainGuidance
from .masking import EntropyMasking, GreyValueMasking, RandomMasking
from .pixel_head import MaskedPixelHead
from .vit_pyramid import ViTPyramid

__all__ = [
    'AdaptiveFrequencyModulation',
    'ConvViT',
    'DualDomainGuidance',
    'EntropyMasking',
    'GreyValueMasking',
    'MaskedAutoencoder',
    'MaskedConvViT',
    'MaskedDecoder',
    'MaskedPixelHead',
    'RandomMasking',
    'Reconstruction',
    'ViTPyramid',
]
