"""Transforms that know infrared data; registered in mmengine's root registry."""

from dugi_mae.mm.transforms.brightness_contrast import InfraredBrightnessContrast
from dugi_mae.mm.transforms.loading import LoadInfraredImage
from dugi_mae.mm.transforms.target_copy_paste import SmallTargetCopyPaste
from dugi_mae.mm.transforms.target_crop import SmallTargetCrop
from dugi_mae.mm.transforms.target_resize import SmallTargetResize

__all__ = [
    'InfraredBrightnessContrast',
    'LoadInfraredImage',
    'SmallTargetCopyPaste',
    'SmallTargetCrop',
    'SmallTargetResize',
]
