"""Models, registered in mmpretrain's ``MODELS`` unless they say otherwise."""

from .backbones import ConvViT, MaskedConvViT, MaskedMAEViT
from .guidance import AdaptiveFrequencyModulation, DualDomainGuidance
from .heads import DuGIPretrainHead
from .masking import EntropyMasking, GreyValueMasking, RandomMasking
from .necks import MaskedDecoder, ViTPyramid
from .selfsup import DuGIMAE

__all__ = [
    'AdaptiveFrequencyModulation',
    'ConvViT',
    'DuGIMAE',
    'DuGIPretrainHead',
    'DualDomainGuidance',
    'EntropyMasking',
    'GreyValueMasking',
    'MaskedConvViT',
    'MaskedDecoder',
    'MaskedMAEViT',
    'RandomMasking',
    'ViTPyramid',
]
