"""Data sets and transforms that need neither mmdet nor mmseg."""

from dugi_mae.datasets.pretrain import InfraredPretrainDataset
from dugi_mae.datasets.transforms import LoadInfraredImage

__all__ = ['InfraredPretrainDataset', 'LoadInfraredImage']
