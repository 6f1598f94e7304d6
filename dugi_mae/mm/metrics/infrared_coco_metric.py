"""COCO metrics with classes matched by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.fileio import exists, get_local_path
from mmengine.logging import print_log

from dugi_mae.annotations.coco import check_coco, read_json, select_classes
from dugi_mae.annotations.coco_objects import in_words, prepare_objects
from dugi_mae.errors import DuGIError
from dugi_mae.mm.datasets.detection import coco_api


@METRICS.register_module()
class InfraredCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` for ``InfraredCocoDataset``.

    The parent confuses classes if the annotation file orders its categories unlike
    ``metainfo.classes``, and calls each detection of annotation 0 wrong if the file
    numbers annotations from 0. Boxes are cleaned and counted as in the data set, see
    :func:`~dugi_mae.annotations.coco_objects.prepare_objects`: what training left out
    is no missed object.

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
        self._content: dict | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the predictions of a batch; the first call reads the file."""
        if self._content is None and self.ann_file is not None:
            with get_local_path(self.ann_file, self.backend_args) as path:
                self._content = check_coco(read_json(path), self.ann_file)
            classes = self.dataset_meta['classes']
            # So that the parent asks for no other ground truth; without cleaned boxes.
            content = select_classes(self._content, classes, self.ann_file)
            self._coco_api = coco_api(content)
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score all predictions, whose images have told their sizes by now."""
        if self._content is not None:
            sizes = {gt['img_id']: (gt['width'], gt['height']) for gt, _ in results}
            content, notes = prepare_objects(
                self._content,
                self.dataset_meta['classes'],
                self.ann_file,
                sizes,
                'segm' in self.metrics,
            )
            if notes:
                text = f'{self.ann_file}: {in_words(notes)}'
                print_log(text, 'current', logging.WARNING)
            self._coco_api = coco_api(content)
        return super().compute_metrics(results)
