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
from dugi_mae.files import (
    files_by_name,
    find_label,
    found_instead,
    without_extension,
)


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
        folder: Masks named like the images, ``NAME.png`` or ``NAME_pixels0.png``;
            frames of a video are ``VIDEO_000000`` and so on. ``seq1/0.png`` has the
            mask ``seq1/0.png``, or ``0.png`` where no other image of the run is called
            so.
        sources: Inputs of the run.
        loader: Config of the transform that reads mask files.

    Raises:
        DuGIError: If the folder does not exist, an image has two masks, or two images
            would share one.
    """

    def __init__(
        self, folder: str | Path, sources: Sequence[Source], loader: dict
    ) -> None:
        from dugi_mae.mm.datasets.sirst import MASK_SUFFIXES  # it imports mmseg

        with DefaultScope.overwrite_default_scope('mmseg'):
            self.loader = TRANSFORMS.build(loader)
        self.suffixes = MASK_SUFFIXES
        self.folder = Path(folder)
        self.masks = files_by_name(self.folder, 'correct gt')
        known: dict[Path, Path] = {}
        for path in (s.path for s in sources if s.path is not None and not s.is_video):
            mask = self._find(without_extension(path.as_posix()))
            other = known.setdefault(mask, path) if mask else path
            if other.resolve() != path.resolve():
                raise DuGIError(
                    f'{other} and {path} would share the mask {mask}: put the masks '
                    'into folders like those of the images, or run them separately'
                )

    def _find(self, name: str) -> Path | None:
        """The mask that the longest trailing part of a name has."""
        while True:
            mask = find_label(name, self.masks, self.suffixes)
            if mask or '/' not in name:
                return mask
            name = name.split('/', 1)[1]

    def __call__(self, image: InputImage, shape: tuple[int, int]) -> ndarray:
        """Return the mask of an image, ``(H, W)`` uint8 in {0, 1, 255 = ignored}.

        Args:
            image: The image.
            shape: Its height and width.

        Raises:
            DuGIError: If there is no mask, or it is damaged or of another size.
        """
        in_file = image.frame is None and image.pixels is None
        path = Path(image.source).as_posix()
        mask = self._find(without_extension(path) if in_file else image.name)
        if mask is None:
            stem = Path(path).stem if in_file else Path(image.name).name
            raise DuGIError(
                f'image {image.name} has no mask in {self.folder}'
                f'{found_instead(self.folder, stem)}: name it '
                f'{" or ".join(f"{stem}{s}.png" for s in self.suffixes)}, all black if '
                'there is no target'
            )
        results = dict(seg_map_path=str(mask), img_path=image.source, ori_shape=shape)
        return self.loader.transform(results)['gt_seg_map']
