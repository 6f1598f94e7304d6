"""Maskings: images -> :class:`~dugi_mae.ops.TokenMask`."""

from .base import BaseMasking
from .entropy import EntropyMasking
from .grey_value import GreyValueMasking
from .random import RandomMasking

__all__ = ['BaseMasking', 'EntropyMasking', 'GreyValueMasking', 'RandomMasking']
