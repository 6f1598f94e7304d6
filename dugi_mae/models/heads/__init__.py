"""Pre-training heads."""

from .pretrain_head import DuGIPretrainHead

__all__ = ['DuGIPretrainHead']
