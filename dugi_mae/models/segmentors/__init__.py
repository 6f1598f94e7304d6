"""Segmentors for mmseg; import ``dugi_mae.mmseg`` to register them."""

from dugi_mae.models.segmentors.small_target_segmentor import SmallTargetSegmentor
from dugi_mae.models.segmentors.small_target_tta import SmallTargetTTAModel

__all__ = ['SmallTargetSegmentor', 'SmallTargetTTAModel']
