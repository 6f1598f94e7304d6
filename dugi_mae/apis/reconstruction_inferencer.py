"""Reconstruct masked images of any kind with a pre-trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from numpy import ndarray

from dugi_mae.apis.build import build_model, check_inferencer, open_config
from dugi_mae.apis.inputs import Input, InputImage
from dugi_mae.apis.pipeline import PredictPipeline
from dugi_mae.apis.run import Run
from dugi_mae.evaluation import ReconstructionMetric
from dugi_mae.models.autoencoder import Reconstruction
from dugi_mae.ops import TokenMask, patch_grid
from dugi_mae.visualization import draw_reconstruction


@dataclass(frozen=True)
class ReconstructionResult:
    """What the model makes of one image, as the pipeline has resized and cropped it.

    Errors are mean squared errors on masked pixels in the units of the model's
    normalised input, as ``tools/test.py`` reports them.

    Attributes:
        name: Its name in the run, see :class:`~dugi_mae.apis.inputs.InputImage`.
        source: The file it is from, or ``'array'``.
        frame: Number in a video, or ``None``.
        image: ``(H, W, C)`` uint8.
        reconstruction: ``(H, W, C)`` uint8, masked places painted by the decoder.
        visible: ``(H, W)`` boolean, what the encoder saw.
        masked_mse: Error of the model.
        mean_fill_mse: Error of filling with the image's mean.
        nearest_fill_mse: Error of filling with the nearest visible token.
    """

    name: str
    source: str
    frame: int | None
    image: ndarray
    reconstruction: ndarray
    visible: ndarray
    masked_mse: float
    mean_fill_mse: float
    nearest_fill_mse: float

    def describe(self) -> dict:
        """What the JSON says of it: size and errors."""
        height, width = self.visible.shape
        errors = ('masked_mse', 'mean_fill_mse', 'nearest_fill_mse')
        return dict(
            width=width, height=height, **{key: getattr(self, key) for key in errors}
        )


class ReconstructionInferencer:
    """Mask images and reconstruct them with a pre-training model.

    Args:
        config: A config of ``configs/pretrain`` or its path. Its test pipeline says how
            images are read, resized and cropped.
        checkpoint: What ``tools/train.py`` wrote for it; every tensor must fit.
        device: Such as ``'cpu'`` or ``'cuda:0'``; ``None`` takes a GPU if there is one.

    Attributes:
        report: What the JSON of the last run holds; ``failed`` lists what was left out.

    Example:
        >>> inferencer = ReconstructionInferencer(config, 'epoch_16.pth')
        >>> results = inferencer('images', out_dir='results')
        >>> results[0].masked_mse
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
    ) -> None:
        config = open_config(config)
        check_inferencer(config, type(self).__name__)
        self.pipeline = PredictPipeline(config)
        self.model = build_model(config, checkpoint, device)
        self.settings = dict(config=config.filename, checkpoint=str(checkpoint))
        self.report: dict = {}

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        batch_size: int = 1,
    ) -> list[ReconstructionResult]:
        """Reconstruct and keep all results; :meth:`stream` is for long videos.

        Args:
            inputs: A file, folder, glob, video or array (``(H, W)`` or ``(H, W, C)`` in
                BGR order, 8-bit, 16-bit or float), or a list of these.
            out_dir: Folder for ``results.json`` and ``panels/``; ``None`` writes
                nothing.
            batch_size: Neighbouring images of equal size that share a batch.

        Raises:
            DuGIError: If nothing can be used. Single images that cannot are left out,
                logged and listed in ``report['failed']``.
        """
        return list(self.stream(inputs, out_dir, batch_size))

    def stream(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        batch_size: int = 1,
    ) -> Iterator[ReconstructionResult]:
        """As a call, but yield each result and forget it.

        The JSON is written when the iteration ends, also early.
        """
        metric = ReconstructionMetric(self.model.head.patch_size)
        with Run(inputs, out_dir, self.settings) as run:
            self.report = run.report

            def prepare(image: InputImage) -> tuple[InputImage, torch.Tensor]:
                return image, self.pipeline(image)[0]['inputs']

            def shape(sample: tuple[InputImage, torch.Tensor]) -> torch.Size:
                return sample[1].shape

            for batch in run.batches(prepare, batch_size, shape):
                images, pixels = zip(*batch, strict=True)
                parts = self._reconstruct(torch.stack(pixels))
                for image, part in zip(images, parts, strict=True):
                    result = self._result(image, part, metric)
                    run.add(
                        image,
                        result.describe(),
                        'panels',
                        lambda part=part: draw_reconstruction(
                            self.model, part.images, result=part
                        ),
                    )
                    yield result
            run.add_metrics(metric.compute_metrics(metric.results))

    def _reconstruct(self, pixels: torch.Tensor) -> list[Reconstruction]:
        """Reconstructions of batch size 1, ``(B, C, H, W)`` in 0..255 going in."""
        data = dict(inputs=pixels, data_samples=None)
        inputs = self.model.data_preprocessor(data)['inputs']
        *maps, token_mask = self.model.reconstruct(inputs)
        return [
            Reconstruction(
                *(x[i : i + 1] for x in maps),
                TokenMask(*(x[i : i + 1] for x in token_mask)),
            )
            for i in range(len(inputs))
        ]

    def _result(
        self, image: InputImage, part: Reconstruction, metric: ReconstructionMetric
    ) -> ReconstructionResult:
        """Score one image and bring it back to grey values."""
        grid = patch_grid(part.images, metric.patch_size)
        sample = dict(
            image=part.images[0],
            prediction=part.prediction[0],
            token_mask=part.token_mask.mask[0].reshape(grid),
        )
        metric.process({}, [sample])
        original, painted = (self._to_grey(x[0]) for x in (part.images, part.composite))
        return ReconstructionResult(
            image.name,
            image.source,
            image.frame,
            original,
            painted,
            part.visible[0, 0].cpu().numpy() > 0,
            *metric.results[-1],
        )

    def _to_grey(self, image: torch.Tensor) -> ndarray:
        """Undo the preprocessor's normalisation, ``(C, H, W)`` -> ``(H, W, C)``."""
        preprocessor = self.model.data_preprocessor
        pixels = image.float() * preprocessor.std + preprocessor.mean
        pixels = pixels.round().clamp(0, 255).byte()
        return pixels.permute(1, 2, 0).cpu().numpy()
