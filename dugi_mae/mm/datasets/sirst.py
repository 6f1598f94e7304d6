"""Single-frame infrared small targets: SIRST, IRSTD-1k, NUDT-SIRST and the like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmcv.transforms import Compose
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.files import (
    files_by_name,
    find_label,
    find_listed,
    found_instead,
    read_lines,
    without_extension,
)
from dugi_mae.mm.datasets.checks import check_data_root, check_prefix
from dugi_mae.mm.datasets.pretrain import in_val_split

#: Where images and masks lie below the data folder, in order of preference.
LAYOUTS = (
    ('mixed', 'annotations/masks'),  # SIRST-V2
    ('IRSTD1k_Img', 'IRSTD1k_Label'),  # IRSTD-1k
    ('images', 'masks'),  # SIRST v1, NUDT-SIRST, BasicIRSTD, DNANet
)
#: What mmseg calls them.
PREFIX_KEYS = ('img_path', 'seg_map_path')
#: What may stand between an image's name and its mask's extension.
MASK_SUFFIXES = ('_pixels0', '')


def read_split(path: Path) -> list[str]:
    """Lines of a split file that are not blank.

    Raises:
        DuGIError: If the file is missing, where those that are there are named, or
            empty.
    """
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob('*.txt')) or ['none']
        raise DuGIError(
            f'split file {path} does not exist: correct ann_file (found there: '
            f'{", ".join(near[:8])})'
        )
    return read_lines(path, 'split file', 'correct ann_file')


@DATASETS.register_module()
class SIRSTDataset(BaseSegDataset):
    """Images with target masks; backgrounds without any target are kept.

    Layouts found by themselves: ``images/`` with ``masks/`` (SIRST v1, NUDT-SIRST, and
    any set as BasicIRSTD and DNANet arrange it), ``IRSTD1k_Img/`` with
    ``IRSTD1k_Label/`` (IRSTD-1k) and ``mixed/`` with ``annotations/masks/`` (SIRST-V2);
    mask names ``<name>.png`` or ``<name>_pixels0.png``. Both may lie in folders, such
    as one per sequence: ``images/seq1/0.png`` has the mask ``masks/seq1/0.png``. Masks
    are read by ``LoadTargetMask``.

    Args:
        data_root: Folder of the set.
        ann_file: Split file relative to ``data_root``, such as ``idx_427/train.txt``,
            ``splits/train_full.txt``, ``img_idx/train_NUAA-SIRST.txt`` or
            ``50_50/train.txt``; ``''`` takes all images. One image per line, see
            :func:`dugi_mae.files.find_listed`.
        data_prefix: Folders ``img_path`` and ``seg_map_path`` relative to
            ``data_root``, where they are none of those above.
        seg_map_suffix: What follows an image's name in its mask's, such as
            ``_mask.png``, where it is neither of the two above.
        split: ``'train'`` or ``'val'`` for one part of the list, ``None`` for all. An
            image's part depends on its name alone.
        val_fraction: Expected share of the ``'val'`` part.
        second_pipeline: What image ``i`` goes through as index ``i + len(dataset)``:
            the crops of a second stage of training, see ``TwoStageBatchSampler``.
        **kwargs: As in mmseg's ``BaseSegDataset`` (``pipeline``, ...).

    Raises:
        DuGIError: If a folder, split, image or mask is missing, a split is empty or
            names an image twice, or a mask may be one of two files.
    """

    METAINFO = dict(
        classes=('background', 'target'), palette=[[0, 0, 0], [255, 40, 40]]
    )

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        seg_map_suffix: str | None = None,
        data_prefix: dict | None = None,
        split: str | None = None,
        val_fraction: float = 0.2,
        second_pipeline: Sequence[dict] | None = None,
        **kwargs,
    ) -> None:
        check_choice('split', split, (None, 'train', 'val'))
        self.split, self.val_fraction = split, val_fraction
        self.second_pipeline = Compose(second_pipeline) if second_pipeline else None
        self.mask_suffixes = MASK_SUFFIXES
        if seg_map_suffix is not None:
            self.mask_suffixes = (seg_map_suffix.rsplit('.', 1)[0],)
        root = check_data_root(data_root)
        folders = check_prefix(data_prefix, PREFIX_KEYS)
        if len(folders) < len(PREFIX_KEYS):
            folders = self.find_layout(root) | folders
        super().__init__(
            ann_file=ann_file, data_root=str(root), data_prefix=folders, **kwargs
        )

    @staticmethod
    def find_layout(root: Path) -> dict[str, str]:
        """The layout of a data folder, as mmseg's ``data_prefix``."""
        for images, masks in LAYOUTS:
            if (root / images).is_dir() and (root / masks).is_dir():
                return dict(zip(PREFIX_KEYS, (images, masks), strict=True))
        known = ' or '.join(f'{images}/ with {masks}/' for images, masks in LAYOUTS)
        raise DuGIError(
            f'data folder {root} has none of the known layouts: expected {known}; '
            'correct data_root or set data_prefix'
        )

    def prepare_data(self, index: int) -> Any:
        """Read an image and its mask, in the second stage by the second pipeline."""
        if index < len(self) or not self.second_pipeline:
            return super().prepare_data(index)
        return self.second_pipeline(self.get_data_info(index - len(self)))

    def load_data_list(self) -> list[dict]:
        """List the images of the split with their masks."""
        img_dir, mask_dir = (Path(self.data_prefix[key]) for key in PREFIX_KEYS)
        images, masks = (
            files_by_name(folder, 'correct data_prefix')
            for folder in (img_dir, mask_dir)
        )
        names = sorted(images)
        if self.ann_file:
            lines = read_split(Path(self.ann_file))
            files = [name + path.suffix for name, path in images.items()]
            listed = find_listed(lines, files, self.ann_file, img_dir)
            names = list(map(without_extension, listed))
        if self.split:
            val = self.split == 'val'
            names = [n for n in names if in_val_split(n, self.val_fraction) == val]
        samples = []
        for name in names:
            mask = find_label(name, masks, self.mask_suffixes)
            if mask is None:
                candidates = [name + suffix for suffix in self.mask_suffixes]
                raise DuGIError(
                    f'image {images[name]} has no mask in {mask_dir}'
                    f'{found_instead(mask_dir, name)}: call it '
                    f'{" or ".join(f"{stem}.png" for stem in candidates)}, all black '
                    'if there is no target, or set seg_map_suffix'
                )
            samples.append(
                dict(
                    img_path=str(images[name]),
                    seg_map_path=str(mask),
                    label_map=self.label_map,
                    reduce_zero_label=self.reduce_zero_label,
                    seg_fields=[],
                )
            )
        return samples
