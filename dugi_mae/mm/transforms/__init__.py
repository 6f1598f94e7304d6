"""Transforms that know infrared data; registered in mmengine's root registry."""

from dugi_mae.mm.transforms.brightness_contrast import RandomBrightnessContrast
from dugi_mae.mm.transforms.loading import LoadInfraredImage
from dugi_mae.mm.transforms.target_copy_paste import TargetCopyPaste
from dugi_mae.mm.transforms.target_crop import TargetCrop
from dugi_mae.mm.transforms.target_resize import ResizeKeepTargets

__all__ = [
    'LoadInfraredImage',
    'RandomBrightnessContrast',
    'ResizeKeepTargets',
    'TargetCopyPaste',
    'TargetCrop',
]
