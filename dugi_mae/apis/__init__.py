"""Functions for people: use a trained model from Python."""

from .reconstruct import init_pretrain_model, normalise

__all__ = ['init_pretrain_model', 'normalise']
