"""COCO metrics with classes matched by name."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.fileio import exists, get_local_path

from dugi_mae.annotations.coco import check_coco, read_json, select_classes
from dugi_mae.annotations.coco_masks import check_masks
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets.detection import coco_api


@METRICS.register_module()
class InfraredCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` for ``InfraredCocoDataset``.

    The parent confuses classes if the annotation file orders its categories unlike
    ``metainfo.classes``, and calls each detection of annotation 0 wrong if the file
    numbers annotations from 0.

    Args:
        ann_file: COCO file of the split.
        **kwargs: As in ``CocoMetric``.

    Raises:
        DuGIError: If the file is missing or damaged, or lacks a class, or, for
            ``metric='segm'``, a mask.
    """

    def __init__(self, ann_file: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        # Here, not after the first epoch of training.
        if ann_file is not None and not exists(ann_file, self.backend_args):
            raise DuGIError(
                f'ann_file {ann_file} of InfraredCocoMetric does not exist: correct '
                'val_evaluator.ann_file or test_evaluator.ann_file'
            )
        self.ann_file = ann_file

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the predictions of a batch; the first call reads the file."""
        if self._coco_api is None and self.ann_file is not None:
            with get_local_path(self.ann_file, self.backend_args) as path:
                content = check_coco(read_json(path), self.ann_file)
            if 'segm' in self.metrics:
                check_masks(content, self.ann_file)
            classes = self.dataset_meta['classes']
            self._coco_api = coco_api(select_classes(content, classes, self.ann_file))
        super().process(data_batch, data_samples)
