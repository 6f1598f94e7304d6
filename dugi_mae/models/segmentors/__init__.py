"""Segmentors for mmseg; import ``dugi_mae.mmseg`` to register them."""

from dugi_mae.models.segmentors.small_target_segmentor import SmallTargetSegmentor

__all__ = ['SmallTargetSegmentor']
