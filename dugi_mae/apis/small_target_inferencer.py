"""Find small targets in images of any kind with a trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from numpy import ndarray

from dugi_mae.annotations.label_maps import IGNORED
from dugi_mae.apis.inputs import Input, InputImage
from dugi_mae.apis.run import Inferencer, Run
from dugi_mae.apis.small_target_result import (
    GroundTruthMasks,
    SmallTargetResult,
)
from dugi_mae.errors import DuGIError
from dugi_mae.evaluation.small_target import (
    SmallTargetTotals,
    count_image,
    in_field_units,
)
from dugi_mae.mm.build import type_name
from dugi_mae.visualization import draw_small_targets
from dugi_mae.zoo import small_target_model

#: Settings of the config's SmallTargetMetric that apply here too, with their defaults.
METRIC_OPTIONS = dict(distance=3.0, fa_match='component', empty='skip')


class Sample(NamedTuple):
    """An image ready for the model.

    Attributes:
        image: The image.
        grey: ``(H, W)`` uint8 as loaded.
        packed: Output of the pipeline.
        gt: ``(H, W)`` uint8 in {0, 1, 255 = ignored}, or ``None``.
    """

    image: InputImage
    grey: ndarray
    packed: dict
    gt: ndarray | None


def metric_options(config: Config) -> dict:
    """Options of a config's :class:`SmallTargetMetric`, see :data:`METRIC_OPTIONS`."""
    evaluator = config.get('test_evaluator') or config.get('val_evaluator') or []
    for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
        if type_name(metric) == 'SmallTargetMetric':
            return {k: metric.get(k, v) for k, v in METRIC_OPTIONS.items()}
    return METRIC_OPTIONS


def check_tiling(tile: int, overlap: int) -> None:
    """Raise unless windows fit the strides of the model and leave a step.

    Raises:
        DuGIError: If one does not.
    """
    if tile < 64 or tile % 32:
        raise DuGIError(f'tile={tile}: choose a multiple of 32 from 64 on')
    if not 0 <= overlap < tile:
        raise DuGIError(
            f'overlap={overlap} of tile={tile}: choose from 0 to {tile - 1}'
        )


class SmallTargetInferencer(Inferencer):
    """Find small targets with a two-class model of mmseg.

    Hits, misses and metrics follow the config's ``SmallTargetMetric``: its
    ``distance``, ``fa_match`` and ``empty`` apply.

    Args:
        config: A config of a segmentor with two classes, or its path; ``'irstd-nano'``
            is the model that ships.
        checkpoint: See :class:`~dugi_mae.apis.run.Inferencer`; ``None`` for that one.
        device: See :class:`~dugi_mae.apis.run.Inferencer`.
        tile: Side of the windows in which large images are predicted, in pixels of the
            model's input (after the pipeline has enlarged it), a multiple of 32; their
            logits are averaged where they overlap, as by mmseg's test mode ``slide``.
            ``None`` follows the config.
        overlap: Overlap of neighbouring windows in pixels.
        threshold: Probability above which a pixel is target; ``None`` takes that of the
            config's decode head.

    Example:
        >>> inferencer = SmallTargetInferencer('irstd-nano')
        >>> results = inferencer('images', out_dir='results', gt='masks')
        >>> results[0].boxes, results[0].scores
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        tile: int | None = None,
        overlap: int = 64,
        threshold: float | None = None,
    ) -> None:
        if tile is not None:
            check_tiling(tile, overlap)
        if threshold is not None and not 0 < threshold < 1:
            raise DuGIError(f'threshold={threshold}: choose a value between 0 and 1')
        if checkpoint is None:
            config, checkpoint = small_target_model(config)
        super().__init__(config, checkpoint, device)
        if self.model.num_classes != 2:
            raise DuGIError(
                f'config {self.config.filename} has {self.model.num_classes} classes, '
                'small targets need two: use MMSegInferencer of mmseg.apis'
            )
        # Heads with two output channels have none: the larger logit wins.
        own = getattr(self.model.decode_head, 'threshold', None) or 0.5
        self.threshold = own if threshold is None else threshold
        if tile is not None:
            self.model.test_cfg = ConfigDict(
                mode='slide', crop_size=(tile, tile), stride=(tile - overlap,) * 2
            )
        self.matching = metric_options(self.config)
        self.settings |= dict(
            threshold=self.threshold,
            tile=tile,
            overlap=overlap if tile else None,
            **self.matching,
        )

    def stream(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        gt: str | Path | None = None,
        batch_size: int = 1,
    ) -> Iterator[SmallTargetResult]:
        """Yield the results one by one without keeping them.

        The JSON is written when the iteration ends, also early.

        Args:
            inputs: A file, folder, glob, video or array (``(H, W)`` or ``(H, W, C)`` in
                BGR order, 8-bit, 16-bit or float), or a list of these.
            out_dir: Folder for ``results.json`` and ``overlays/``; ``None`` writes
                nothing.
            gt: Folder of true masks, see
                :class:`~dugi_mae.apis.small_target_result.GroundTruthMasks`.
            batch_size: Maximum number of images of equal size in a batch.

        Raises:
            DuGIError: If no input can be used. Single images that cannot be used are
                skipped, logged and listed in ``report['failed']``.
        """
        run = Run(inputs, out_dir, self.settings)
        masks = None
        if gt is not None:
            loader = self.pipeline.label_transforms.get('LoadTargetMask')
            loader = loader or dict(type='LoadTargetMask')
            masks = GroundTruthMasks(gt, run.sources, loader)
        distance, fa_match, empty = (self.matching[key] for key in METRIC_OPTIONS)
        with run:
            self.report = run.report
            totals = SmallTargetTotals(empty)

            def prepare(image: InputImage) -> Sample:
                packed, pixels = self.pipeline(image)
                height, width = shape = pixels.shape[:2]
                grey = np.rint(pixels.reshape(height, width, -1)[..., 0])
                true = masks(image, shape) if masks else None
                return Sample(image, grey.astype(np.uint8), packed, true)

            def kind(sample: Sample) -> tuple:
                return sample.packed['inputs'].shape, sample.grey.shape

            for batch in run.batches(prepare, batch_size, kind):
                probabilities = self._probabilities([s.packed for s in batch])
                for sample, probability in zip(batch, probabilities, strict=True):
                    targets = None if sample.gt is None else sample.gt == 1
                    result = SmallTargetResult.from_probability(
                        sample.image, probability, self.threshold, targets, distance
                    )
                    run.add(
                        sample.image,
                        result.describe(),
                        'overlays',
                        lambda s=sample, r=result: draw_small_targets(
                            s.grey, r.mask, r.match
                        ),
                    )
                    if targets is not None:
                        counts = count_image(
                            result.mask,
                            targets,
                            probability,
                            valid=sample.gt != IGNORED,
                            distance=distance,
                            fa_match=fa_match,
                        )
                        totals.add(counts)
                    yield result
            if masks:
                run.add_metrics(in_field_units(totals.scores()))

    @torch.no_grad()
    def _probabilities(self, packed: list[dict]) -> list[ndarray]:
        """Predict images of one size; returns ``(H, W)`` float32 probabilities."""
        batch = {key: [p[key] for p in packed] for key in ('inputs', 'data_samples')}
        data = self.model.data_preprocessor(batch, False)
        images, samples = data['inputs'], data['data_samples']
        logits = self.model.inference(images, [s.metainfo for s in samples])
        # mmseg resizes to the image's size; one channel comes as probability.
        maps = [
            sample.seg_logits.data
            for sample in self.model.postprocess_result(logits, samples)
        ]
        return [
            (x[0] if len(x) == 1 else x.softmax(dim=0)[1]).float().cpu().numpy()
            for x in maps
        ]
