"""Infrared detection sets with COCO annotation files."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from dugi_mae.annotations.coco import check_coco, class_names, read_json
from dugi_mae.annotations.coco_objects import in_words, prepare_objects
from dugi_mae.annotations.image_names import locate_images
from dugi_mae.errors import DuGIError
from dugi_mae.images.reading import image_size
from dugi_mae.mm.datasets.checks import check_classes


def coco_api(content: dict) -> COCO:
    """A COCO structure in memory for pycocotools, which only reads files.

    Args:
        content: Images, annotations and categories.
    """
    api = COCO()
    api.dataset = content
    with contextlib.redirect_stdout(None):  # it prints its progress
        api.createIndex()
    api.img_ann_map, api.cat_img_map = api.imgToAnns, api.catToImgs
    return api


@DATASETS.register_module()
class InfraredCocoDataset(CocoDataset):
    """Any infrared set in COCO format.

    Label ``i`` is ``metainfo['classes'][i]`` by name, in whatever order the file lists
    its categories; ``InfraredCocoMetric`` scores accordingly. Without classes in
    ``metainfo`` those of the file are taken, in its order. Images without boxes stay
    in unless ``filter_cfg=dict(filter_empty_gt=True)``: an infrared detector must know
    empty scenes. Sizes are those of the images, boxes are cleaned and counted by
    :func:`~dugi_mae.annotations.coco_objects.prepare_objects`, for scoring as for
    training.

    Args:
        ann_file: COCO file, relative to ``data_root``.
        metainfo: ``dict(classes=(...))`` for some of the file's classes, by name.
        data_root: Folder of the set.
        data_prefix: ``dict(img=...)``, the folder that file names are relative to.
        **kwargs: As in mmdet's ``CocoDataset``.

    Raises:
        DuGIError: If a folder, the file or an image is missing, the file is damaged or
            empty, a class is not in it, a training file has no box, or ``filter_cfg``
            leaves no image.
    """

    METAINFO: dict = {}  # not the 80 classes of COCO

    def load_data_list(self) -> list[dict]:
        """List the images with their boxes."""
        if self.backend_args is None and not Path(self.ann_file).is_file():
            raise DuGIError(
                f'annotation file {self.ann_file!r} does not exist: correct data_root '
                'or ann_file, or write it with '
                'tools/dataset_converters/convert_dataset.py'
            )
        self.COCOAPI = self._read  # what the parent reads the file with
        try:
            return super().load_data_list()
        finally:
            del self.COCOAPI

    def filter_data(self) -> list[dict]:
        """Leave out the images that ``filter_cfg`` does not want."""
        samples = super().filter_data()
        if not samples:
            raise DuGIError(
                f'filter_cfg={dict(self.filter_cfg)} leaves none of the '
                f'{len(self.data_list)} images of {self.ann_file}: loosen it, or '
                'correct metainfo.classes'
            )
        return samples

    def _read(self, path: str) -> COCO:
        """Read and check the annotation file; settles the classes."""
        content = check_coco(read_json(path), path)
        if self.backend_args is None:
            folder = Path(self.data_prefix['img'])
            content['images'] = locate_images(content['images'], folder)
        names = class_names(content)
        classes = self._metainfo.setdefault('classes', names)
        name = classes if isinstance(classes, str) else names[0]
        check_classes(classes, f'write classes=({name!r},), with the comma')
        order = [name for name in names if name in classes]
        if self.test_mode and order != list(classes):
            print_log(
                f'{path} lists its classes as {", ".join(order)}, not as '
                f'{", ".join(classes)}: score with InfraredCocoMetric, CocoMetric '
                'would mistake one for another',
                logger='current',
                level=logging.WARNING,
            )
        # Sizes of images in a remote storage are taken from the file.
        sizes = self._read_sizes(content) if self.backend_args is None else {}
        masks = any(getattr(s, 'with_mask', False) for s in self.pipeline.transforms)
        content, notes = prepare_objects(content, classes, path, sizes, masks)
        if notes:
            print_log(f'{path}: {in_words(notes)}', 'current', logging.WARNING)
        if not self.test_mode and all(a['iscrowd'] for a in content['annotations']):
            raise DuGIError(
                f'annotation file {path} has no box of the classes '
                f'{", ".join(classes)} ({in_words(notes) or "it lists none"}): '
                'training needs some, correct ann_file or metainfo.classes'
            )
        return coco_api(content)

    def _read_sizes(self, content: dict) -> dict[int | str, tuple[int, int]]:
        """Width and height of every image; raise unless all exist."""
        root = Path(self.data_prefix['img'])
        paths = {image['id']: root / image['file_name'] for image in content['images']}
        missing = [path for path in paths.values() if not path.is_file()]
        if missing:
            raise DuGIError(
                f'image {missing[0]} of {self.ann_file} does not exist ({len(missing)} '
                f'of {len(paths)} are missing): copy it there, or correct '
                'data_prefix.img'
            )
        return {number: image_size(path) for number, path in paths.items()}
