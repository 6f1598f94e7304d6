"""Segmentation sets whose label maps are PNG files of class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from numpy import ndarray

from dugi_mae.annotations.label_maps import IGNORED, count_pixels
from dugi_mae.errors import DuGIError
from dugi_mae.files import (
    files_by_name,
    find_label,
    find_listed,
    found_instead,
    read_lines,
    without_extension,
)
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
        self._has_classes = False
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
        images = files_by_name(image_dir, 'correct data_root or data_prefix.img_path')
        paths = [name + path.suffix for name, path in images.items()]
        if self.ann_file:
            paths = find_listed(self.read_list(), paths, self.ann_file, image_dir)
        ending, _, extension = self.seg_map_suffix.rpartition('.')
        label_maps = files_by_name(
            label_dir,
            'correct data_prefix.seg_map_path',
            (f'.{extension.lower()}',),
        )
        samples = []
        for path in paths:
            name = without_extension(path)
            labels = find_label(name, label_maps, (ending,))
            if labels is None:
                raise DuGIError(
                    f'image {image_dir / path} has no label map '
                    f'{label_dir / name}{self.seg_map_suffix}'
                    f'{found_instead(label_dir, name)}: copy it there or correct '
                    'data_prefix.seg_map_path or seg_map_suffix'
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
        self._samples = samples
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
        counts = self._count_pixels(sample)
        if self._has_classes or not (counts[-1] and not counts[1:-1].any()):
            return
        # Nothing but 0 and 255: one image without objects, or masks of 0 and 255.
        for other in self._samples:
            if self._count_pixels(other)[1:-1].any():
                self._has_classes = True
                return
        classes = self._classes()
        raise DuGIError(
            f'label file {sample["seg_map_path"]} has the values 0 and {IGNORED} '
            f'alone, and none of the set has {classes[1]!r}: {IGNORED} is ignored, '
            f'classes have 0 to {len(classes) - 1}; write 1 in its place'
        )

    def _count_pixels(self, sample: dict) -> ndarray:
        """Pixels of each class of a label map, and of those that are ignored."""
        return count_pixels(
            Path(sample['img_path']),
            Path(sample['seg_map_path']),
            len(self._classes()) + self.reduce_zero_label,
        )

    def _classes(self) -> Sequence[str]:
        """Names of the label values from 0 on (from 1 with ``reduce_zero_label``)."""
        return self.METAINFO.get('classes') or self._metainfo['classes']
