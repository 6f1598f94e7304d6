"""Results of the small-target inferencer, and the ground truth to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.registry import TRANSFORMS, DefaultScope
from numpy import ndarray

from dugi_mae.apis.inputs import InputImage, Source
from dugi_mae.errors import DuGIError
from dugi_mae.evaluation.target_matching import (
    Components,
    TargetMatch,
    find_components,
    match_targets,
)
from dugi_mae.files import found_instead, images_by_stem

#: Ground truth: a folder of masks, one mask, or a list with one mask per image.
GroundTruth = str | Path | ndarray | Sequence[str | Path | ndarray]


@dataclass(frozen=True)
class SmallTargetResult:
    """Targets that the model finds in one image, at the image's own resolution.

    A target is an 8-connected component of the mask. Targets are in raster order of
    their first pixel.

    Attributes:
        name: Its name in the run, see :class:`~dugi_mae.apis.inputs.InputImage`.
        source: Its file, or ``'array'``.
        frame: Number in a video, or ``None``.
        probability: ``(H, W)`` float32.
        mask: ``(H, W)`` boolean, where the probability exceeds the threshold.
        boxes: ``(n, 4)`` int, ``x1, y1, x2, y2`` in pixels, the last two exclusive.
        centroids: ``(n, 2)`` float, ``x, y`` in pixels; (0, 0) is the centre of the
            first pixel.
        scores: ``(n,)`` float, highest probability in each target.
        areas: ``(n,)`` int, pixels of each target.
        match: Comparison with the ground truth, ``None`` without one.
    """

    name: str
    source: str
    frame: int | None
    probability: ndarray
    mask: ndarray
    boxes: ndarray
    centroids: ndarray
    scores: ndarray
    areas: ndarray
    match: TargetMatch | None = None

    @classmethod
    def from_probability(
        cls,
        image: InputImage,
        probability: ndarray,
        threshold: float,
        gt: ndarray | None = None,
        distance: float = 3.0,
    ) -> SmallTargetResult:
        """Find the targets in a probability map.

        Args:
            image: The image.
            probability: ``(H, W)`` float32.
            threshold: Probability above which a pixel is target.
            gt: ``(H, W)`` boolean to compare with.
            distance: See :func:`~dugi_mae.evaluation.target_matching.match_targets`.
        """
        mask = probability > threshold
        found = find_components(mask)
        scores = np.zeros(len(found.areas))
        np.maximum.at(scores, found.ids[mask] - 1, probability[mask])
        return cls(
            name=image.name,
            source=image.source,
            frame=image.frame,
            probability=probability,
            mask=mask,
            boxes=found.boxes,
            centroids=found.centroids,
            scores=scores,
            areas=found.areas,
            match=None if gt is None else match_targets(mask, gt, distance),
        )

    def describe(self) -> dict:
        """Return the entry of the JSON; with a ground truth also hits and misses."""
        height, width = self.mask.shape
        targets = _regions(self)
        for target, score in zip(targets, self.scores, strict=True):
            target['score'] = round(float(score), 4)
        entry = dict(width=width, height=height, targets=targets)
        if self.match is not None:
            for number, target in enumerate(targets, start=1):
                target['hit'] = number in self.match.labels
            regions = _regions(self.match.gt)
            entry['misses'] = [regions[number - 1] for number in self.match.misses]
        return entry


def _regions(found: SmallTargetResult | Components) -> list[dict]:
    """Box, centroid and area of each component, as the JSON lists them."""
    return [
        dict(
            box=box.tolist(),
            centroid=[round(float(x), 2) for x in centroid],
            area=int(area),
        )
        for box, centroid, area in zip(
            found.boxes, found.centroids, found.areas, strict=True
        )
    ]


class GroundTruthMasks:
    """Finds the true mask of each image of a run.

    Args:
        gt: A folder with masks named like the images (``NAME.png`` or
            ``NAME_pixels0.png``; frames of a video are ``VIDEO_000000`` and so on), or
            a file or array for a single image, or a list of files and arrays in the
            order of the images.
        sources: Inputs of the run.
        total: Number of images of the run.
        loader: Config of the transform that reads mask files.

    Raises:
        DuGIError: If a folder or file does not exist, two inputs would share a mask, or
            a list has another length.
    """

    def __init__(
        self, gt: GroundTruth, sources: Sequence[Source], total: int, loader: dict
    ) -> None:
        from dugi_mae.mm.datasets.sirst import MASK_SUFFIXES  # it imports mmseg

        with DefaultScope.overwrite_default_scope('mmseg'):
            self.loader = TRANSFORMS.build(loader)
        self.suffixes = MASK_SUFFIXES
        self.folder = None
        if isinstance(gt, (str, Path)) and not Path(gt).is_file():
            self.folder = Path(gt)
            self.masks = images_by_stem(self.folder, 'correct gt')
            _check_stems(sources, self.folder)
            return
        self.masks = gt if isinstance(gt, (list, tuple)) else [gt]
        if len(self.masks) != total:
            raise DuGIError(
                f'gt has {len(self.masks)} masks for {total} images: give one for '
                'each, in their order, or a folder'
            )

    def _find(self, image: InputImage) -> str | Path | ndarray:
        if self.folder is None:
            if image.index is None:
                raise DuGIError(
                    f'image {image.name} has no mask in the list: the header of '
                    f'{image.source} states fewer frames, give a folder of masks'
                )
            return self.masks[image.index]
        stem = Path(image.source).stem if image.frame is None else Path(image.name).name
        found = [stem + s for s in self.suffixes if stem + s in self.masks]
        if not found:
            raise DuGIError(
                f'image {image.name} has no mask in {self.folder}'
                f'{found_instead(self.folder, stem)}: name it '
                f'{" or ".join(f"{stem}{s}.png" for s in self.suffixes)}, all black if '
                'there is no target'
            )
        if len(found) > 1:
            raise DuGIError(
                f'image {image.name} has two masks in {self.folder}, {found[0]} and '
                f'{found[1]}: remove one of them'
            )
        return self.masks[found[0]]

    def __call__(self, image: InputImage, shape: tuple[int, int]) -> ndarray:
        """Return the mask of an image, ``(H, W)`` boolean.

        Args:
            image: The image.
            shape: Its height and width.

        Raises:
            DuGIError: If there is no mask, or it is damaged or of another size.
        """
        mask = self._find(image)
        if not isinstance(mask, ndarray):
            results = dict(
                seg_map_path=str(mask), img_path=image.source, ori_shape=shape
            )
            return self.loader.transform(results)['gt_seg_map'] > 0
        if mask.shape != tuple(shape):
            raise DuGIError(
                f'mask of {image.name} has shape {mask.shape}, its image {shape}: give '
                'an (H, W) array of the size of the image'
            )
        return mask > 0


def _check_stems(sources: Sequence[Source], folder: Path) -> None:
    """Raise if two different files would share a mask of a folder."""
    known: dict[str, Path] = {}
    for path in (source.path for source in sources if source.path is not None):
        other = known.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise DuGIError(
                f'{other} and {path} would share the mask {path.stem} of {folder}: run '
                'them separately, or give gt as a list with one mask per image'
            )
