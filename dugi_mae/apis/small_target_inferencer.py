"""Find small targets in images of any kind with a trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from numpy import ndarray
from torch import Tensor

from dugi_mae.apis.build import build_model, check_inferencer, open_config
from dugi_mae.apis.inputs import Input, InputImage
from dugi_mae.apis.pipeline import PredictPipeline
from dugi_mae.apis.run import Run
from dugi_mae.apis.small_target_result import SmallTargetResult
from dugi_mae.apis.tiling import check_tiling, predict_tiled
from dugi_mae.errors import DuGIError
from dugi_mae.evaluation.small_target import (
    SmallTargetTotals,
    count_image,
    in_field_units,
)
from dugi_mae.visualization import draw_small_targets

if TYPE_CHECKING:  # it imports mmseg
    from dugi_mae.apis.truth import Truth


class Sample(NamedTuple):
    """An image on its way into the model.

    Attributes:
        image: Where it is from.
        grey: ``(H, W)`` uint8 as loaded.
        packed: What the pipeline made of it.
        truth: ``(H, W)`` boolean, or ``None``.
    """

    image: InputImage
    grey: ndarray
    packed: dict
    truth: ndarray | None


class SmallTargetInferencer:
    """Find small targets with any two-class mmseg model of ours.

    Args:
        config: A config of ``configs/small_target`` or ``configs/segmentation``, or its
            path. Its test pipeline says how images are read and enlarged.
        checkpoint: What ``tools/train.py`` wrote for it; every tensor must fit.
        device: Such as ``'cpu'`` or ``'cuda:0'``; ``None`` takes a GPU if there is one.
        tile: Side of the tiles in which large images are predicted, in pixels of the
            model's input (after the pipeline has enlarged it), a multiple of 32.
            ``None`` predicts the whole image at once, as ``tools/test.py`` does.
        overlap: Pixels that neighbouring tiles share, a multiple of 32. Tiles see less
            of the scene than the whole image shows: a model with global attention gives
            slightly other results, see :func:`~dugi_mae.apis.tiling.predict_tiled`.
        threshold: Probability above which a pixel is target.

    Attributes:
        report: What the JSON of the last run holds; ``failed`` lists what was left out.

    Example:
        >>> inferencer = SmallTargetInferencer(config, 'iter_2000.pth')
        >>> results = inferencer('images', out_dir='results', truth='masks')
        >>> results[0].boxes, results[0].scores
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
        tile: int | None = None,
        overlap: int = 64,
        threshold: float = 0.5,
    ) -> None:
        if tile is not None:
            check_tiling(tile, overlap)
        if not 0 < threshold < 1:
            raise DuGIError(f'threshold={threshold} must lie between 0 and 1')
        config = open_config(config)
        check_inferencer(config, type(self).__name__)
        self.pipeline = PredictPipeline(config)
        self.model = build_model(config, checkpoint, device)
        if self.model.num_classes != 2:
            raise DuGIError(
                f'config {config.filename} has {self.model.num_classes} classes, small '
                'targets need two: use MMSegInferencer of mmseg.apis'
            )
        self.tile = tile
        self.overlap = overlap
        self.threshold = threshold
        self.settings = dict(
            config=config.filename,
            checkpoint=str(checkpoint),
            threshold=threshold,
            tile=tile,
            overlap=overlap if tile else None,
        )
        self.report: dict = {}

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        truth: Truth | None = None,
        batch_size: int = 1,
    ) -> list[SmallTargetResult]:
        """Predict and keep all results; :meth:`stream` is for long videos.

        Args:
            inputs: A file, folder, glob, video or array (``(H, W)`` or ``(H, W, C)`` in
                BGR order, 8-bit, 16-bit or float), or a list of these.
            out_dir: Folder for ``results.json`` and ``overlays/``; ``None`` writes
                nothing.
            truth: True masks, see :class:`~dugi_mae.apis.truth.TruthMasks`.
            batch_size: Neighbouring images of equal size that share a batch.

        Raises:
            DuGIError: If nothing can be used. Single images that cannot are left out,
                logged and listed in ``report['failed']``.
        """
        return list(self.stream(inputs, out_dir, truth, batch_size))

    def stream(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        truth: Truth | None = None,
        batch_size: int = 1,
    ) -> Iterator[SmallTargetResult]:
        """As a call, but yield each result and forget it.

        The JSON is written when the iteration ends, also early.
        """
        run = Run(inputs, out_dir, self.settings)
        masks = self._open_truth(truth, run.total)
        with run:
            self.report = run.report
            totals = SmallTargetTotals()

            def prepare(image: InputImage) -> Sample:
                packed, pixels = self.pipeline(image)
                true = masks(image, pixels.shape[:2]) if masks else None
                grey = np.rint(pixels[..., 0]).astype(np.uint8)
                return Sample(image, grey, packed, true)

            def kind(sample: Sample) -> tuple:
                return sample.packed['inputs'].shape, sample.grey.shape

            for batch in run.batches(prepare, batch_size, kind):
                probabilities = self._probabilities([s.packed for s in batch])
                for sample, probability in zip(batch, probabilities, strict=True):
                    result = SmallTargetResult.from_probability(
                        sample.image, probability, self.threshold, sample.truth
                    )
                    run.add(
                        sample.image,
                        result.describe(),
                        'overlays',
                        lambda s=sample, r=result: draw_small_targets(
                            s.grey, r.mask, r.match
                        ),
                    )
                    if sample.truth is not None:
                        counts = count_image(result.mask, sample.truth, probability)
                        totals.add(counts)
                    yield result
            if masks:
                run.add_metrics(in_field_units(totals.scores()))

    def _open_truth(self, truth: Truth | None, total: int):
        if truth is None:
            return None
        from dugi_mae.apis.truth import LoadTargetMask, TruthMasks

        step = dict(self.pipeline.label_transforms.get('LoadTargetMask', {}))
        step.pop('type', None)
        return TruthMasks(truth, total, LoadTargetMask(**step))

    @torch.no_grad()
    def _probabilities(self, packed: list[dict]) -> list[ndarray]:
        """Target probability of images of one size, ``(H, W)`` float32 each."""
        batch = {key: [p[key] for p in packed] for key in ('inputs', 'data_samples')}
        data = self.model.data_preprocessor(batch, False)
        images, samples = data['inputs'], data['data_samples']
        if self.tile is None:
            logits = self.model.inference(images, [s.metainfo for s in samples])
        else:
            logits = predict_tiled(self._decode, images, self.tile, self.overlap)
        # mmseg's own way back to the image's size; one channel comes as probability.
        maps = [
            sample.seg_logits.data
            for sample in self.model.postprocess_result(logits, samples)
        ]
        return [
            (x[0] if len(x) == 1 else x.softmax(dim=0)[1]).float().cpu().numpy()
            for x in maps
        ]

    def _decode(self, images: Tensor) -> Tensor:
        """Logits of a tile at its own size, ``(B, C, h, w)`` -> ``(B, K, h, w)``."""
        return self.model.encode_decode(images, [dict(img_shape=images.shape[-2:])])
