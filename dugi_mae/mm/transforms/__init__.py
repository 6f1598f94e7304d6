"""Transforms that know infrared data; registered in mmengine's root registry."""

from dugi_mae.mm.transforms.brightness_contrast import InfraredBrightnessContrast
from dugi_mae.mm.transforms.loading import LoadInfraredImage
from dugi_mae.mm.transforms.target_crop import SmallTargetCrop

__all__ = ['InfraredBrightnessContrast', 'LoadInfraredImage', 'SmallTargetCrop']
