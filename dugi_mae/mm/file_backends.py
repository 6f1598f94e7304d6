"""Infrared images for the hosts' own loaders: a file backend of mmengine's.

``dict(type='LoadImageFromFile', backend_args=dict(backend='infrared'))``,
``mmcv.imread('infrared://PATH')``, and likewise the hosts' inferencers and
visualization hooks, get the same pixels as ``LoadInfraredImage``.
"""

from __future__ import annotations

from pathlib import Path

import cv2
from mmengine.fileio import LocalBackend, register_backend

from dugi_mae.images import InfraredReader

_PREFIX = 'infrared'


@register_backend('infrared', prefixes=_PREFIX)
class InfraredBackend(LocalBackend):
    """Local files, of which images are read as 8-bit grey and encoded as BMP.

    Hosts decode what they get by OpenCV, which leaves 16-bit images one or two grey
    levels; 8-bit BMP costs next to nothing and changes no pixel. For models of one
    channel add ``color_type='grayscale'`` to the host's loader.

    Args:
        **options: As in :class:`dugi_mae.images.InfraredReader`, for example
            ``normalizer``, ``invalid`` and ``channel``, except ``channels`` and
            ``to_float32``, which are arguments of the host's loader.
    """

    def __init__(self, **options) -> None:
        self.reader = InfraredReader(channels=1, to_float32=False, **options)

    def get(self, filepath: str | Path) -> bytes:
        """An image as the content of an 8-bit BMP file.

        Raises:
            BadImageError: If the file cannot be used.
        """
        image = self.reader.load(_local(filepath))
        return cv2.imencode('.bmp', image)[1].tobytes()

    def exists(self, filepath: str | Path) -> bool:
        """Whether a file or folder exists."""
        return super().exists(_local(filepath))

    def isdir(self, filepath: str | Path) -> bool:
        """Whether it is a folder."""
        return super().isdir(_local(filepath))

    def isfile(self, filepath: str | Path) -> bool:
        """Whether it is a file."""
        return super().isfile(_local(filepath))

    def list_dir_or_file(self, dir_path: str | Path, *args, **kwargs):
        """Names of what a folder holds, as mmengine's local backend gives them."""
        return super().list_dir_or_file(_local(dir_path), *args, **kwargs)


def _local(path: str | Path) -> str:
    """A path without our prefix; there is none where the backend was named."""
    return str(path).removeprefix(f'{_PREFIX}://')
