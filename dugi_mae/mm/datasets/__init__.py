"""Data sets and transforms that need neither mmdet nor mmseg."""

from dugi_mae.mm.datasets.pretrain import InfraredPretrainDataset
from dugi_mae.mm.transforms import LoadInfraredImage

__all__ = ['InfraredPretrainDataset', 'LoadInfraredImage']
