"""What all inferencers share: a model, and runs over inputs that write results."""

from __future__ import annotations

import itertools
import json
import logging
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from numpy import ndarray
from tqdm import tqdm

from dugi_mae.apis.build import build_model, inferencer_name, open_config
from dugi_mae.apis.inputs import Input, InputImage, PredictPipeline, find_sources
from dugi_mae.errors import DuGIError
from dugi_mae.files import atomic_write, make_folder

Sample = TypeVar('Sample')


class Inferencer:
    """A model with the test pipeline of its config; subclasses define ``stream``.

    Args:
        config: A config or its path. Its test pipeline determines how images are read
            and resized.
        checkpoint: What ``tools/train.py`` wrote for it; every tensor must fit.
        device: Such as ``'cpu'`` or ``'cuda:0'``; ``None`` takes a GPU if there is one.

    Attributes:
        report: Content of the last run's JSON; ``failed`` lists what was skipped.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
    ) -> None:
        config = open_config(config)
        right, name = inferencer_name(config), type(self).__name__
        if right != name:
            raise DuGIError(f'config {config.filename} is not for {name}: use {right}')
        self.config = config
        self.pipeline = PredictPipeline(config)
        self.model = build_model(config, checkpoint, device)
        self.settings = dict(config=config.filename, checkpoint=str(checkpoint))
        self.report: dict = {}

    def __call__(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None = None,
        **options,
    ) -> list:
        """Return all results of ``stream``, which takes the same arguments."""
        return list(self.stream(inputs, out_dir, **options))


class Run:
    """One pass over inputs: progress bar, batches, failures, pictures and the JSON.

    A context manager: leaving it, also early, writes ``results.json``. An image that
    cannot be used is listed there under ``failed`` and the run continues.

    Args:
        inputs: See :func:`~dugi_mae.apis.inputs.find_sources`.
        out_dir: Folder for pictures and the JSON; ``None`` writes nothing.
        settings: First entries of the JSON.

    Attributes:
        report: What the JSON holds.
        total: Number of images; of videos as their headers state.
    """

    def __init__(
        self,
        inputs: Input | Sequence[Input],
        out_dir: str | Path | None,
        settings: dict,
    ) -> None:
        self.sources = find_sources(inputs)
        self.total = sum(source.count() for source in self.sources)
        self.report = {**settings, 'images': [], 'failed': []}
        self.out_dir = None if out_dir is None else make_folder(out_dir)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_) -> None:
        if self.out_dir is not None:
            text = json.dumps(self.report, indent=1, allow_nan=False)
            atomic_write(f'{text}\n'.encode(), self.out_dir / 'results.json')

    def _fail(self, name: str, error: DuGIError) -> None:
        self.report['failed'].append(dict(name=name, reason=str(error)))
        print_log(f'{name} is skipped: {error}', 'current', logging.WARNING)

    def _images(self) -> Iterator[InputImage]:
        for source in self.sources:
            try:
                yield from source.images()
            except DuGIError as error:
                self._fail(source.name, error)

    def _samples(self, prepare: Callable[[InputImage], Sample]) -> Iterator[Sample]:
        hidden = self.total == 1
        for image in tqdm(self._images(), 'images', self.total, disable=hidden):
            try:
                sample = prepare(image)
            except DuGIError as error:
                self._fail(image.name, error)
            else:
                yield sample

    def batches(
        self,
        prepare: Callable[[InputImage], Sample],
        batch_size: int,
        kind: Callable[[Sample], Hashable],
    ) -> Iterator[list[Sample]]:
        """Prepare the images and batch neighbours of one kind.

        Args:
            prepare: Makes a sample of an image; may raise :class:`DuGIError`.
            batch_size: Maximum number of samples in a batch.
            kind: Only samples with equal results of this function share a batch.

        Raises:
            DuGIError: At the end, if no image could be used.
        """
        if batch_size < 1:
            raise DuGIError(f'batch_size={batch_size} must be at least 1')
        done = False
        for _, group in itertools.groupby(self._samples(prepare), kind):
            while batch := list(itertools.islice(group, batch_size)):
                yield batch
                done = True
        if not done:
            failed = self.report['failed']
            count = f'none of {len(failed)} inputs can be used: '
            reason = failed[0]['reason']
            raise DuGIError(reason if len(failed) == 1 else count + reason)

    def add(
        self, image: InputImage, entry: dict, folder: str, draw: Callable[[], ndarray]
    ) -> None:
        """Record one result.

        Args:
            image: The image.
            entry: Its entry in the JSON.
            folder: Folder of the pictures, relative to the output folder.
            draw: Returns the picture, ``(H, W, 3)`` uint8 RGB; called only if it is
                written.
        """
        where = dict(name=image.name, source=image.source, frame=image.frame)
        entry = where | finite(entry)
        if self.out_dir is not None:
            entry['picture'] = f'{folder}/{image.name}.png'
            write_picture(self.out_dir / entry['picture'], draw())
        self.report['images'].append(entry)

    def add_metrics(self, metrics: dict[str, float]) -> None:
        """Record the metrics of the run."""
        self.report['metrics'] = finite(metrics)


def finite(entry: dict) -> dict:
    """Replace NaN and infinity, which JSON does not have, by ``None``."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in entry.items()
    }


def write_picture(path: Path, picture: ndarray) -> None:
    """Write ``(H, W, 3)`` uint8 RGB as PNG and create its folder.

    Raises:
        DuGIError: If it cannot be written.
    """
    make_folder(path.parent)
    if not cv2.imwrite(str(path), picture[..., ::-1]):
        raise DuGIError(
            f'picture {path} cannot be written: check free space and permissions'
        )
