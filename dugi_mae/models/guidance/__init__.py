"""Guidance: (visible tokens, images, mask) -> enriched visible tokens."""

from .afdm import AdaptiveFrequencyModulation
from .ddg import DualDomainGuidance

__all__ = ['AdaptiveFrequencyModulation', 'DualDomainGuidance']
