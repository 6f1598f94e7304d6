"""Transforms that know infrared data; registered in mmengine's root registry."""

from dugi_mae.datasets.transforms.loading import LoadInfraredImage

__all__ = ['LoadInfraredImage']
