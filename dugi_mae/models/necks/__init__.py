"""Decoders between encoder and pre-training head."""

from .masked_decoder import MaskedDecoder

__all__ = ['MaskedDecoder']
