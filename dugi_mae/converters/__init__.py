"""Dataset converters: from sets as they are released to what the hosts read.

:func:`convert` is behind ``tools/dataset_converters/convert_dataset.py``. (Checkpoint
conversion is another thing: :mod:`dugi_mae.checkpoints`.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dugi_mae.converters import coco_sets, segmentation_sets, voc_sets, yolo
from dugi_mae.converters.files import open_release
from dugi_mae.errors import DuGIError


class Converter(NamedTuple):
    """How to convert a set.

    Attributes:
        function: Takes the release, ``OUT`` and options; gives lines to print.
        written: Folders below ``OUT`` that get files.
        archives: Folders that the set's archive unpacks to.
    """

    function: Callable[..., list[str]]
    written: tuple[str, ...]
    archives: tuple[str, ...] = ()


_COCO = ('annotations', 'splits')
CONVERTERS = {
    'dronevehicle': Converter(
        voc_sets.dronevehicle,
        (*_COCO, 'images', 'images/train', 'images/val', 'images/test'),
        ('DroneVehicle',),
    ),
    'flir': Converter(voc_sets.flir, _COCO),
    'hit-uav': Converter(coco_sets.hit_uav, _COCO, ('normal_json',)),
    'irstd1k': Converter(
        segmentation_sets.irstd1k, ('masks',), ('IRSTD-1k', 'IRSTD1k')
    ),
    'llvip': Converter(voc_sets.llvip, _COCO, ('LLVIP',)),
    'm3fd': Converter(voc_sets.m3fd, _COCO, ('M3FD_Detection',)),
    'mfnet': Converter(
        segmentation_sets.mfnet, ('splits', 'thermal'), ('ir_seg_dataset',)
    ),
    'msrs': Converter(segmentation_sets.msrs, ('splits', 'train', 'test'), ('MSRS',)),
    'yolo': Converter(yolo.yolo, _COCO),
}


def convert(name: str, source: Path, out: Path, **options) -> list[str]:
    """Convert a set.

    Args:
        name: One of :data:`CONVERTERS`.
        source: The release or the folder around it.
        out: Folder to write to.
        **options: Of the set's function.

    Returns:
        Lines to print.

    Raises:
        DuGIError: If something of the source is missing, damaged or not of the set, or
            ``out`` cannot be written to.
    """
    function, written, archives = CONVERTERS[name]
    try:
        return function(open_release(source, out, written, archives), out, **options)
    except OSError as error:
        raise DuGIError(
            f'{error.filename2 or error.filename} cannot be used ({error.strerror}): '
            'make SRC readable, and OUT a folder on a disk that has symbolic links'
        ) from None
