"""Decode heads for mmseg; import ``dugi_mae.mmseg`` to register them."""

from dugi_mae.models.decode_heads.irstd_head import IRSTDHead

__all__ = ['IRSTDHead']
