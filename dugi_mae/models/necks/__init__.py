"""What stands between encoder and head."""

from .masked_decoder import MaskedDecoder
from .vit_pyramid import ViTPyramid

__all__ = ['MaskedDecoder', 'ViTPyramid']
