"""Entry module for mmsegmentation configs.

``custom_imports = dict(imports=['dugi_mae.mmseg'], allow_failed_imports=False)``
registers the encoder (``type='mmpretrain.ConvViT'``), the transforms, the hooks, the
file backend ``infrared``, and the segmentation and small-target sets and models. It
changes nothing else in mmseg.
"""

import mmseg  # noqa: F401  says at once what is missing

from .mm import everywhere, small_target
from .mm.datasets.label_map import LabelMapDataset
from .mm.datasets.segmentation import MFNetDataset, MSRSDataset, SODADataset
from .mm.datasets.sirst import SIRSTDataset
from .mm.transforms.target_mask import LoadTargetMask

__all__ = [
    'LabelMapDataset',
    'LoadTargetMask',
    'MFNetDataset',
    'MSRSDataset',
    'SIRSTDataset',
    'SODADataset',
    'everywhere',
    'small_target',
]
