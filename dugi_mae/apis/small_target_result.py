"""What the small-target inferencer gives for one image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from skimage import measure

from dugi_mae.apis.inputs import InputImage
from dugi_mae.evaluation.target_matching import (
    TargetMatch,
    find_components,
    match_targets,
)


@dataclass(frozen=True)
class SmallTargetResult:
    """What the model finds in one image, at the image's own resolution.

    A target is an 8-connected part of the mask. Targets are in raster order of their
    first pixel.

    Attributes:
        name: Its name in the run, see :class:`~dugi_mae.apis.inputs.InputImage`.
        source: The file it is from, or ``'array'``.
        frame: Number in a video, or ``None``.
        probability: ``(H, W)`` float32.
        mask: ``(H, W)`` boolean, where the probability exceeds the threshold.
        boxes: ``(n, 4)`` int, ``x1, y1, x2, y2`` in pixels, the last two exclusive.
        centroids: ``(n, 2)`` float, ``x, y`` in pixels; (0, 0) is the centre of the
            first pixel.
        scores: ``(n,)`` float, highest probability in each target.
        areas: ``(n,)`` int, pixels of each target.
        match: Comparison with the truth, ``None`` without one.
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
        truth: ndarray | None = None,
    ) -> SmallTargetResult:
        """Find the targets in a probability map.

        Args:
            image: Where the map is from.
            probability: ``(H, W)`` float32.
            threshold: Probability above which a pixel is target.
            truth: ``(H, W)`` boolean to compare with.
        """
        mask = probability > threshold
        components, _ = find_components(mask)
        regions = measure.regionprops(components, intensity_image=probability)
        boxes = [_box(r) for r in regions]
        centroids = [r.centroid[::-1] for r in regions]
        return cls(
            name=image.name,
            source=image.source,
            frame=image.frame,
            probability=probability,
            mask=mask,
            boxes=np.array(boxes, int).reshape(-1, 4),
            centroids=np.array(centroids, float).reshape(-1, 2),
            scores=np.array([r.intensity_max for r in regions], float),
            areas=np.array([r.area for r in regions], int),
            match=None if truth is None else match_targets(mask, truth),
        )

    def describe(self) -> dict:
        """What the JSON says of it; with a truth also hits and misses."""
        height, width = self.mask.shape
        targets = [
            dict(
                box=box.tolist(),
                centroid=_rounded(centroid),
                score=round(float(score), 4),
                area=int(area),
            )
            for box, centroid, score, area in zip(
                self.boxes, self.centroids, self.scores, self.areas, strict=True
            )
        ]
        entry = dict(width=width, height=height, targets=targets)
        if self.match is not None:
            for number, target in enumerate(targets, start=1):
                target['hit'] = number in self.match.labels
            entry['misses'] = [
                dict(
                    box=_box(region),
                    centroid=_rounded(region.centroid[::-1]),
                    area=int(region.area),
                )
                for region in measure.regionprops(self.match.true)
                if region.label in self.match.misses
            ]
        return entry


def _box(region) -> list[int]:
    """``x1, y1, x2, y2`` of a scikit-image region."""
    top, left, bottom, right = region.bbox
    return [left, top, right, bottom]


def _rounded(point: Iterable[float]) -> list[float]:
    return [round(float(x), 2) for x in point]
