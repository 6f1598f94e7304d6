"""Data sets; those that need mmdet or mmseg are imported by the entry modules."""

from dugi_mae.mm.datasets.pretrain import InfraredPretrainDataset

__all__ = ['InfraredPretrainDataset']
