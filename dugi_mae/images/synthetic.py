"""Synthetic infrared scenes with exact labels, where no real image is at hand.

A scene is a thermal background (:mod:`dugi_mae.images.thermal_background`), small
targets blurred by the optics, and what an uncooled sensor adds: column stripes, slow
drift over the field of view, noise. Counts are temperatures times a gain, as in a
T-linear camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.images.thermal_background import blur, draw_background

#: Counts per kelvin of a T-linear camera in high resolution (0.04 K per count).
GAIN = 25.0
#: Kelvin that 8-bit pictures span at least: a camera's automatic gain has a limit, so
#: an empty sky looks flat instead of like amplified noise.
LEAST_SPAN = 6.0


class SyntheticScene(NamedTuple):
    """One scene and its labels.

    Attributes:
        image: ``(H, W)`` uint8, or uint16 counts below 2**14.
        mask: ``(H, W)`` boolean, pixels a target reaches with a quarter of its peak.
        boxes: ``(N, 4)`` float32, x1, y1, x2, y2 of the masks, ends exclusive.
        centroids: ``(N, 2)`` float32, sub-pixel x, y of the targets.
    """

    image: np.ndarray
    mask: np.ndarray
    boxes: np.ndarray
    centroids: np.ndarray


class SyntheticSet(NamedTuple):
    """Where :func:`write_dataset` wrote.

    Attributes:
        unlabeled: Folder tree of images for pre-training.
        labelled: Small-target set in the SIRST v1 layout.
    """

    unlabeled: Path
    labelled: Path


def _sensor(rng: Generator, size: tuple[int, int], netd: float) -> np.ndarray:
    """What the sensor adds, in kelvin: column stripes, drift, temporal noise.

    Args:
        rng: Source of randomness.
        size: H, W in pixels.
        netd: Standard deviation of the temporal noise in kelvin.
    """
    height, width = size
    stripes = rng.normal(0, 0.7 * netd, (1, width))
    yy, xx = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    a, b, c = rng.normal(0, 1.0, 3)
    drift = a * xx + b * yy + c * (xx**2 + yy**2)
    return stripes + drift + rng.normal(0, netd, size)


def _draw_targets(
    rng: Generator, size: tuple[int, int], num_targets: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Profiles of peak 1, ``(H, W)`` each, and their sub-pixel centres x, y.

    A target is a small ellipse seen through a Gaussian point-spread function. Targets
    keep a distance from each other and from the border, so that each is one component.
    """
    yy, xx = np.mgrid[: size[0], : size[1]].astype(np.float64)
    profiles: list[np.ndarray] = []
    centres: list[tuple[float, float]] = []
    for _ in range(50 * num_targets):
        if len(profiles) == num_targets:
            break
        x, y = rng.uniform(6, size[1] - 7), rng.uniform(6, size[0] - 7)
        if any(np.hypot(x - u, y - v) < 16 for u, v in centres):
            continue
        sx, sy = rng.uniform(0.9, 2.2, 2)
        profiles.append(
            np.exp(-((xx - x) ** 2) / 2 / sx**2 - (yy - y) ** 2 / 2 / sy**2)
        )
        centres.append((x, y))
    if len(profiles) < num_targets:
        raise DuGIError(
            f'{num_targets} targets do not fit into {size[1]}x{size[0]} pixels: lower '
            'num_targets or enlarge the scene'
        )
    return profiles, np.array(centres, np.float32).reshape(-1, 2)


def generate_scene(
    seed: int,
    height: int = 256,
    width: int = 320,
    num_targets: int | None = None,
    bit_depth: int = 8,
    snr: tuple[float, float] = (10.0, 40.0),
) -> SyntheticScene:
    """Draw a scene; the same arguments always give the same one.

    Args:
        seed: Chooses the scene.
        height: H in pixels, at least 32.
        width: W in pixels, at least 32.
        num_targets: Number of targets; ``None`` draws 0 to 6, fewer in small scenes.
        bit_depth: 14 for raw counts, 8 for their stretched image.
        snr: Range of a target's peak over the local clutter: the standard deviation,
            in the 25x25 pixels around it, of what a 3-pixel Gaussian smoothing removes.

    Raises:
        DuGIError: If the scene is too small or its targets do not fit.
    """
    check_choice('bit_depth', bit_depth, (8, 14))
    if min(height, width) < 32:
        raise DuGIError(f'scene of {width}x{height} pixels: make it at least 32x32')
    rng = np.random.default_rng(seed)
    size = (height, width)
    scene = draw_background(rng, size) + _sensor(rng, size, rng.uniform(0.05, 0.2))
    if num_targets is None:
        room = (height - 12) * (width - 12) // 400
        num_targets = int(rng.integers(0, min(6, room) + 1))
    profiles, centroids = _draw_targets(rng, size, num_targets)
    rough = scene - blur(scene, 3)
    mask, boxes = np.zeros(size, bool), []
    for profile, (x, y) in zip(profiles, centroids, strict=True):
        top, left = max(0, round(float(y)) - 12), max(0, round(float(x)) - 12)
        clutter = rough[top : top + 25, left : left + 25].std()
        scene += rng.uniform(*snr) * clutter * profile
        reach = profile > 0.25
        mask |= reach
        ys, xs = reach.nonzero()
        boxes.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    counts = np.clip(np.rint(scene * GAIN), 0, 2**14 - 1).astype(np.uint16)
    image = counts
    if bit_depth == 8:
        low, high = np.percentile(counts, (0.5, 99.95))
        half = max(high - low, LEAST_SPAN * GAIN) / 2
        scaled = (counts - (low + high) / 2) / half  # -1 .. 1
        image = np.rint(127.5 * (1 + np.clip(scaled, -1, 1))).astype(np.uint8)
    return SyntheticScene(
        image, mask, np.array(boxes, np.float32).reshape(-1, 4), centroids
    )


def write_dataset(
    folder: str | Path,
    num_images: int = 240,
    height: int = 256,
    width: int = 320,
    bit_depth: int = 8,
    seed: int = 0,
) -> SyntheticSet:
    """Write scenes for pre-training and a small-target set in the SIRST v1 layout.

    Half of the images are unlabelled, half are labelled and split 60/20/20 into
    ``idx_427/{train,val,test}.txt`` (the layout's own folder name). A finished folder
    is left as it is; an interrupted one is written again.

    Args:
        folder: Where to write.
        num_images: Number of images in all, at least 12.
        height: H in pixels.
        width: W in pixels.
        bit_depth: 8 or 14.
        seed: Seed of the first scene.
    """
    folder = Path(folder)
    result = SyntheticSet(folder / 'unlabeled', folder / 'labelled')
    if num_images < 12:
        raise DuGIError(f'num_images={num_images}: three splits need at least 12')
    finished = folder / f'finished-{num_images}-{height}x{width}-{bit_depth}-{seed}'
    if finished.exists():
        return result
    images, masks = result.labelled / 'images', result.labelled / 'masks'
    splits = result.labelled / 'idx_427'
    for path in (result.unlabeled, images, masks, splits):
        path.mkdir(parents=True, exist_ok=True)
    num_labelled = num_images // 2
    names = [f'Synthetic_{i}' for i in range(num_labelled)]
    for i in range(num_images):
        scene = generate_scene(seed + i, height, width, None, bit_depth)
        if i < num_labelled:
            cv2.imwrite(str(images / f'{names[i]}.png'), scene.image)
            mask = scene.mask.astype(np.uint8) * 255
            cv2.imwrite(str(masks / f'{names[i]}_pixels0.png'), mask)
        else:
            cv2.imwrite(str(result.unlabeled / f'scene_{i}.png'), scene.image)
    first, second = int(num_labelled * 0.6), int(num_labelled * 0.8)
    parts = dict(
        train=names[:first],
        val=names[first:second],
        test=names[second:],
        trainval=names[:second],
    )
    for split, part in parts.items():
        (splits / f'{split}.txt').write_text('\n'.join(part))
    finished.touch()
    return result
