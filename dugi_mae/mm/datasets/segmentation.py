"""Infrared segmentation sets with several classes: MSRS, SODA, MFNet."""

from __future__ import annotations

from mmseg.registry import DATASETS
from mmseg.utils import get_palette
from PIL import Image

from dugi_mae.annotations.classes import MSRS, MSRS_PALETTE, SODA
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets.label_map import LabelMapDataset


@DATASETS.register_module()
class MSRSDataset(LabelMapDataset):
    """MSRS, infrared half: streets by day and at night.

    It is read as released. The folders are the split: ``data_prefix`` with ``test`` in
    the place of ``train`` gives the other part.
    """

    METAINFO = dict(classes=MSRS, palette=[*map(list, MSRS_PALETTE)])
    FOLDERS = ('train/ir', 'train/Segmentation_labels')


@DATASETS.register_module()
class SODADataset(LabelMapDataset):
    """SODA: scenes in and out of doors, 21 labels.

    It is read as released. Lines with ``(`` or ``~`` in the lists are second copies of
    an image and are dropped.
    """

    METAINFO = dict(classes=SODA, palette=get_palette('voc'))
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
class MFNetDataset(LabelMapDataset):
    """MFNet, thermal half: streets by day and at night.

    It is read as ``convert_dataset.py mfnet`` writes it: released images keep thermal
    in a fourth channel, which every reader takes for transparency.
    """

    METAINFO = dict(classes=MSRS, palette=[*map(list, MSRS_PALETTE)])
    FOLDERS = ('thermal', 'labels')
    REMEDY = (
        'thermal is the fourth channel of released images: run `python tools/'
        'dataset_converters/convert_dataset.py mfnet SRC OUT` and set data_root to OUT'
    )

    def check_sample(self, sample: dict) -> None:
        """Raise for four-channel images, too."""
        with Image.open(sample['img_path']) as image:
            if len(image.getbands()) == 4:
                raise DuGIError(
                    f'{sample["img_path"]} has four channels; {self.REMEDY}'
                )
        super().check_sample(sample)
