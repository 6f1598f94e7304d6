"""Infrared segmentation sets with several classes: MSRS, SODA, MFNet."""

from __future__ import annotations

from pathlib import Path

from mmseg.registry import DATASETS
from mmseg.utils import get_palette
from PIL import Image

from dugi_mae.converters import msrs
from dugi_mae.mm.datasets.label_map import IndexPNGDataset
from dugi_mae.errors import DuGIError


@DATASETS.register_module()
class MSRSDataset(IndexPNGDataset):
    """MSRS, infrared half: streets by day and at night.

    It is read as released. The folders are the split: ``data_prefix`` with ``test`` in
    the place of ``train`` gives the other part.
    """

    METAINFO = dict(classes=msrs.CLASSES, palette=[*map(list, msrs.PALETTE)])
    FOLDERS = ('train/ir', 'train/Segmentation_labels')


@DATASETS.register_module()
class SODADataset(IndexPNGDataset):
    """SODA: scenes in and out of doors, 21 labels.

    It is read as released. Lines with ``(`` or ``~`` in the lists are second copies of
    an image and are dropped.
    """

    METAINFO = dict(
        classes=(
            *('_background_', 'person', 'building', 'tree', 'road', 'pole', 'grass'),
            *('door', 'table', 'chair', 'car', 'bicycle', 'lamp', 'monitor'),
            *('trafficCone', 'trash can', 'animal', 'fence', 'sky', 'river'),
            'sidewalk',
        ),
        palette=get_palette('voc'),
    )
    FOLDERS = ('JPEGImages', 'SegmentationClassOne')

    def read_list(self) -> list[str]:
        """Lines of ``ann_file`` without second copies."""
        lines = [line for line in super().read_list() if not set('(~') & set(line)]
        if not lines:
            raise DuGIError(
                f'split list {self.ann_file} has only second copies, with ( or ~ in '
                'their names: correct ann_file'
            )
        return lines


@DATASETS.register_module()
class MFNetDataset(IndexPNGDataset):
    """MFNet, thermal half: streets by day and at night.

    It is read as ``tools/dataset_converters/mfnet.py`` writes it: released images keep
    thermal in a fourth channel, which every reader takes for transparency.
    """

    METAINFO = dict(classes=msrs.CLASSES, palette=[*map(list, msrs.PALETTE)])
    FOLDERS = ('thermal', 'labels')
    REMEDY = (
        'thermal is the fourth channel of the released images: run `python '
        'tools/dataset_converters/mfnet.py SRC OUT` and set data_root to OUT'
    )

    def load_data_list(self) -> list[dict]:
        """List the images of the split with their label maps."""
        folder = Path(self.data_prefix['img_path'])
        if not folder.is_dir():
            raise DuGIError(f'folder {folder} does not exist; {self.REMEDY}')
        return super().load_data_list()

    def check_sample(self, sample: dict) -> None:
        """Raise for four-channel images, too."""
        with Image.open(sample['img_path']) as image:
            if len(image.getbands()) == 4:
                raise DuGIError(
                    f'{sample["img_path"]} has four channels; {self.REMEDY}'
                )
        super().check_sample(sample)
