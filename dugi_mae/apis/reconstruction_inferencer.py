"""Reconstruct masked images of any kind with a pre-trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy import ndarray

from dugi_mae.apis.inputs import Input, InputImage
from dugi_mae.apis.run import Inferencer, Run
from dugi_mae.evaluation.reconstruction import (
    ReconstructionErrors,
    mean_errors,
    reconstruction_errors,
)
from dugi_mae.models.autoencoder import Reconstruction
from dugi_mae.ops import TokenMask, patch_grid
from dugi_mae.visualization import draw_reconstruction


@dataclass(frozen=True)
class ReconstructionResult:
    """Reconstruction of one image, as the pipeline has resized and cropped it.

    Errors are mean squared errors on masked pixels in the units of the model's
    normalized input, as ``tools/test.py`` reports them.

    Attributes:
        name: Its name in the run, see :class:`~dugi_mae.apis.inputs.InputImage`.
        source: Its file, or ``'array'``.
        frame: Number in a video, or ``None``.
        image: ``(H, W, C)`` uint8.
        reconstruction: ``(H, W, C)`` uint8: the image, and at masked places the
            decoder's prediction.
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

    @property
    def errors(self) -> ReconstructionErrors:
        """The three errors."""
        names = ReconstructionErrors._fields
        return ReconstructionErrors(*(getattr(self, name) for name in names))

    def describe(self) -> dict:
        """Return the entry of the JSON: size and errors."""
        height, width = self.visible.shape
        return dict(width=width, height=height, **self.errors._asdict())


class ReconstructionInferencer(Inferencer):
    """Mask images and reconstruct them with a model of ``configs/pretrain``.

    Example:
        >>> inferencer = ReconstructionInferencer(config, 'epoch_16.pth')
        >>> results = inferencer('images', out_dir='results')
        >>> results[0].masked_mse
    """

    def stream(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        batch_size: int = 1,
    ) -> Iterator[ReconstructionResult]:
        """Yield the results one by one without keeping them.

        The JSON is written when the iteration ends, also early.

        Args:
            inputs: A file, folder, glob, video or array (``(H, W)`` or ``(H, W, C)`` in
                BGR order, 8-bit, 16-bit or float), or a list of these.
            out_dir: Folder for ``results.json`` and ``panels/``; ``None`` writes
                nothing.
            batch_size: Maximum number of images of equal size in a batch.

        Raises:
            DuGIError: If no input can be used. Single images that cannot be used are
                skipped, logged and listed in ``report['failed']``.
        """
        with Run(inputs, out_dir, self.settings) as run:
            self.report = run.report
            all_errors = []

            def prepare(image: InputImage) -> tuple[InputImage, torch.Tensor]:
                return image, self.pipeline(image)[0]['inputs']

            for batch in run.batches(prepare, batch_size, lambda s: s[1].shape):
                images, pixels = zip(*batch, strict=True)
                parts = self._reconstruct(torch.stack(pixels))
                for image, part in zip(images, parts, strict=True):
                    result = self._result(image, part)
                    all_errors.append(result.errors)
                    run.add(
                        image,
                        result.describe(),
                        'panels',
                        lambda part=part: draw_reconstruction(
                            self.model, part.images, result=part
                        ),
                    )
                    yield result
            run.add_metrics(mean_errors(all_errors))

    def _reconstruct(self, pixels: torch.Tensor) -> list[Reconstruction]:
        """Reconstruct ``(B, C, H, W)`` in 0..255, and split the batch into images."""
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

    def _result(self, image: InputImage, part: Reconstruction) -> ReconstructionResult:
        """Evaluate one image."""
        patch_size = self.model.head.patch_size
        mask = part.token_mask.mask.reshape(patch_grid(part.images, patch_size))
        return ReconstructionResult(
            image.name,
            image.source,
            image.frame,
            self._to_grey(part.images[0]),
            self._to_grey(part.composite[0]),
            part.visible[0, 0].cpu().numpy() > 0,
            *reconstruction_errors(
                part.images[0], part.prediction[0], mask, patch_size
            ),
        )

    def _to_grey(self, image: torch.Tensor) -> ndarray:
        """Undo the preprocessor's normalization, ``(C, H, W)`` -> ``(H, W, C)``."""
        preprocessor = self.model.data_preprocessor
        pixels = image.float() * preprocessor.std + preprocessor.mean
        pixels = pixels.round().clamp(0, 255).byte()
        return pixels.permute(1, 2, 0).cpu().numpy()
