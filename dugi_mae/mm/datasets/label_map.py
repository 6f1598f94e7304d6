"""Segmentation sets whose label maps are PNG files of class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from dugi_mae.annotations.label_maps import count_pixels
from dugi_mae.errors import DuGIError
from dugi_mae.files import find_images, find_listed, read_lines, without_extension
from dugi_mae.mm.datasets.checks import check_classes, check_data_root, check_prefix


@DATASETS.register_module()
class LabelMapDataset(BaseSegDataset):
    """Any set of images with label maps of the same names.

    The pixels of a label map are class numbers, 0 for the first of
    ``metainfo['classes']``, and 255 for what is neither trained on nor scored. Images
    may lie in folders below ``data_prefix['img_path']``; label maps then lie in the
    same ones. The first label map is checked when the set is listed, each other one
    when it is first used; a dataset converter that checks them all exists for some
    sets.

    Args:
        data_root: Folder of the set.
        ann_file: List relative to ``data_root``, one image per line, see
            :func:`dugi_mae.files.find_listed`; ``''`` takes all images.
        metainfo: ``dict(classes=(...), palette=[...])``, the palette may be left out.
            A set that has classes of its own can be narrowed to some of them, by name.
        data_prefix: Folders ``img_path`` and ``seg_map_path`` relative to
            ``data_root``, by default ``images`` and ``labels``.
        **kwargs: As in mmseg's ``BaseSegDataset`` (``pipeline``, ``seg_map_suffix``,
            ``reduce_zero_label``, ...).

    Raises:
        DuGIError: If classes, a folder, list, image or label map are missing, a list is
            empty or names an image twice, or the first label map does not fit.
    """

    #: Default of ``data_prefix``: images, label maps.
    FOLDERS = ('images', 'labels')
    #: What messages advise where the folder of images is missing.
    REMEDY = ''

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        folders = dict(zip(('img_path', 'seg_map_path'), self.FOLDERS, strict=True))
        self._checked: set[int] = set()
        super().__init__(
            ann_file=ann_file,
            data_root=str(check_data_root(data_root)),
            data_prefix=folders | check_prefix(data_prefix, folders),
            **kwargs,
        )

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict | None:
        """Map the set's label values to the wanted classes, by name.

        Returns:
            New value by old value, 255 for classes that are not wanted; ``None`` if
            nothing changes.
        """
        check_classes(
            new_classes,
            'name the label values 0, 1, ... in order, such as '
            "metainfo=dict(classes=('background', 'car'))",
        )
        return super().get_label_map(new_classes)

    def read_list(self) -> list[str]:
        """Lines of ``ann_file`` that are not blank."""
        return read_lines(self.ann_file, 'split list', 'correct ann_file')

    def load_data_list(self) -> list[dict]:
        """List the images of the split with their label maps."""
        image_dir, label_dir = (
            Path(self.data_prefix[key]) for key in ('img_path', 'seg_map_path')
        )
        if self.REMEDY and not image_dir.is_dir():
            raise DuGIError(f'folder {image_dir} does not exist; {self.REMEDY}')
        paths = find_images(image_dir)
        if self.ann_file:
            paths = find_listed(self.read_list(), paths, self.ann_file, image_dir)
        samples = []
        for path in paths:
            labels = label_dir / (without_extension(path) + self.seg_map_suffix)
            if not labels.is_file():
                raise DuGIError(
                    f'image {image_dir / path} has no label map {labels}: copy it '
                    'there or correct data_prefix.seg_map_path or seg_map_suffix'
                )
            samples.append(
                dict(
                    img_path=str(image_dir / path),
                    seg_map_path=str(labels),
                    label_map=self.label_map,
                    reduce_zero_label=self.reduce_zero_label,
                    seg_fields=[],
                )
            )
        self.check_sample(samples[0])
        return samples

    def prepare_data(self, idx: int) -> dict:
        """Load one sample; its label map is checked before its first use.

        mmseg's loader names no file, and labels that are no class end a training on a
        GPU without a word about where they came from.
        """
        if idx not in self._checked:
            self.check_sample(self.get_data_info(idx))
            self._checked.add(idx)
        return super().prepare_data(idx)

    def check_sample(self, sample: dict) -> None:
        """Raise unless a label map fits its image and the classes."""
        classes = self.METAINFO.get('classes') or self._metainfo['classes']
        count_pixels(
            Path(sample['img_path']),
            Path(sample['seg_map_path']),
            len(classes) + self.reduce_zero_label,
        )
