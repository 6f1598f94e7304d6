"""Matches predicted components with targets."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy import ndarray


class Components(NamedTuple):
    """The 8-connected components of a mask.

    Attributes:
        ids: ``(H, W)`` int, counted from 1 in raster order of the components' first
            pixels; 0 is background.
        centroids: ``(n, 2)`` float, ``x, y`` in pixels; (0, 0) is the centre of the
            first pixel.
        boxes: ``(n, 4)`` int, ``x1, y1, x2, y2`` in pixels, the last two exclusive.
        areas: ``(n,)`` int, in pixels.
    """

    ids: ndarray
    centroids: ndarray
    boxes: ndarray
    areas: ndarray


def find_components(mask: ndarray) -> Components:
    """Find the 8-connected components of a mask.

    Args:
        mask: ``(H, W)`` boolean.
    """
    _, ids, stats, centroids = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    # OpenCV counts in the order of its own scan, by blocks of pixels.
    present, first = np.unique(ids, return_index=True)
    order = present[np.argsort(first)]
    order = order[order > 0]
    rank = np.zeros(len(stats), int)
    rank[order] = np.arange(1, len(order) + 1)
    left, top, width, height, areas = stats[order].astype(int).T
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return Components(rank[ids], centroids[order], boxes, areas)


class TargetMatch(NamedTuple):
    """Which targets a prediction finds.

    Attributes:
        labels: ``(n,)`` for each target, in the order of its id, the id of the matched
            component, -1 for none.
        false_alarms: Ids of the predicted components that match no target.
        gt: The true targets.
        predicted: The predicted components.
    """

    labels: ndarray
    false_alarms: ndarray
    gt: Components
    predicted: Components

    @property
    def hits(self) -> ndarray:
        """Ids of the detected targets."""
        return np.flatnonzero(self.labels != -1) + 1

    @property
    def misses(self) -> ndarray:
        """Ids of the missed targets."""
        return np.flatnonzero(self.labels == -1) + 1


def match_targets(
    prediction: ndarray, label: ndarray, distance: float = 3.0
) -> TargetMatch:
    """Match true targets with predicted components, one to one.

    Each target, in raster order, takes the first component in raster order (not the
    nearest) that is still free and has its centroid closer than ``distance``, as the
    evaluation codes of DNANet and BasicIRSTD do.

    Args:
        prediction: ``(H, W)`` boolean.
        label: ``(H, W)`` boolean.
        distance: In pixels; a centroid exactly this far is a miss.
    """
    gt, predicted = find_components(label), find_components(prediction)
    offsets = gt.centroids[:, None] - predicted.centroids[None]
    # With a margin, so that rounding does not decide about exactly this distance.
    free = np.hypot(offsets[..., 0], offsets[..., 1]) < distance - 1e-9
    labels = np.full(len(free), -1)
    for i in np.flatnonzero(free.any(axis=1)):
        if free[i].any():
            first = free[i].argmax()
            labels[i] = first + 1
            free[:, first] = False
    false_alarms = np.setdiff1d(np.arange(1, len(predicted.areas) + 1), labels)
    return TargetMatch(labels, false_alarms, gt, predicted)
