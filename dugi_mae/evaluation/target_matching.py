"""Which predicted components are which targets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray
from scipy import ndimage
from scipy.spatial.distance import cdist


class TargetMatch(NamedTuple):
    """Which targets a prediction finds.

    Components are 8-connected. Their ids count from 1 in raster order, as in the two
    label images, where 0 is background.

    Attributes:
        labels: ``(n_true,)`` for each target, in the order of its id, the id of the
            predicted component that it matches, -1 for none.
        false_alarms: Ids of the predicted components that match no target.
        true: ``(H, W)`` ids of the true targets.
        predicted: ``(H, W)`` ids of the predicted components.
    """

    labels: ndarray
    false_alarms: ndarray
    true: ndarray
    predicted: ndarray

    @property
    def hits(self) -> ndarray:
        """Ids of the targets that are found."""
        return np.flatnonzero(self.labels != -1) + 1

    @property
    def misses(self) -> ndarray:
        """Ids of the targets that are not."""
        return np.flatnonzero(self.labels == -1) + 1


def find_components(mask: ndarray) -> tuple[ndarray, ndarray]:
    """The 8-connected components of a mask.

    Args:
        mask: ``(H, W)`` boolean.

    Returns:
        ``(H, W)`` ids, from 1 in raster order, and ``(n, 2)`` centroids y, x in pixels.
    """
    ids, number = ndimage.label(mask, np.ones((3, 3)))
    centroids = ndimage.center_of_mass(mask, ids, range(1, number + 1))
    return ids, np.reshape(centroids, (number, 2))


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
        distance: In pixels; exactly this far is too far.
    """
    true, true_centroids = find_components(label)
    predicted, centroids = find_components(prediction)
    # The margin keeps rounding of the centroids from deciding what is exactly at it.
    free = cdist(true_centroids, centroids) < distance - 1e-9
    labels = np.full(len(true_centroids), -1)
    for i in np.flatnonzero(free.any(axis=1)):
        if free[i].any():
            first = free[i].argmax()
            labels[i] = first + 1
            free[:, first] = False
    false_alarms = np.setdiff1d(np.arange(1, len(centroids) + 1), labels)
    return TargetMatch(labels, false_alarms, true, predicted)
