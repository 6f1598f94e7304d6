"""Self-supervised algorithms."""

from .dugi_mae import DuGIMAE, Reconstruction

__all__ = ['DuGIMAE', 'Reconstruction']
