"""Evaluate classical detectors on a small-target set, as baselines without learning.

Size and threshold are chosen by IoU on one split; the other split is evaluated once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from mmengine import fileio
from numpy import ndarray
from tqdm import tqdm

from dugi_mae.cli import run_cli
from dugi_mae.evaluation.classical import adaptive_threshold, mpcm, top_hat
from dugi_mae.evaluation.small_target import (
    SmallTargetTotals,
    count_image,
    in_field_units,
    score_table,
)
from dugi_mae.mm.transforms import LoadInfraredImage
from dugi_mae.mmseg import LoadTargetMask, SIRSTDataset

#: For each method the detector and the sizes to choose from, in pixels: radii of the
#: disk, sides of the patches.
METHODS = {
    'top-hat': (top_hat, (1, 2, 3, 4, 5, 6, 8)),
    'mpcm': (mpcm, ((3,), (3, 5), (3, 5, 7), (3, 5, 7, 9), (3, 5, 7, 9, 11))),
}
#: Standard deviations above the mean to choose from.
KS = np.arange(1, 40.5, 0.5)


class Choice(NamedTuple):
    """Chosen settings, and their IoU (a fraction) on the selection split."""

    size: int | tuple[int, ...]
    k: float
    iou: float


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data_root', help='folder of a set that SIRSTDataset reads')
    parser.add_argument(
        '--method', nargs='+', choices=METHODS, default=list(METHODS), help='detectors'
    )
    parser.add_argument(
        '--select', required=True, help='split file to choose on, such as idx/val.txt'
    )
    parser.add_argument(
        '--test', required=True, help='split file to evaluate, such as idx/test.txt'
    )
    parser.add_argument('--out', help='write settings and scores to this JSON file')
    return parser.parse_args()


def read_split(data_root: str, split: str) -> SIRSTDataset:
    """Return the images and masks of a split, read as for training."""
    pipeline = [LoadInfraredImage(channels=1), LoadTargetMask(on_mismatch='resize')]
    return SIRSTDataset(data_root, split, pipeline=pipeline)


def pairs(dataset: SIRSTDataset, task: str) -> Iterator[tuple[ndarray, ndarray]]:
    """Yield images ``(H, W)`` uint8 and masks ``(H, W)`` boolean."""
    for sample in tqdm(dataset, desc=task):
        yield sample['img'][..., 0], sample['gt_seg_map'] == 1


def above(values: ndarray, thresholds: ndarray) -> ndarray:
    """Count the values above each threshold."""
    values = np.sort(values, axis=None)
    return values.size - np.searchsorted(values, thresholds, side='right')


def choose(method: str, dataset: SIRSTDataset) -> Choice:
    """Choose the size and k with the highest IoU on a split."""
    detect, sizes = METHODS[method]
    choices = []
    for size in sizes:
        intersection, union = np.zeros(len(KS)), np.zeros(len(KS))
        for image, label in pairs(dataset, f'{method}, size {size}'):
            score = detect(image, size)
            thresholds = adaptive_threshold(score, KS)
            hits = above(score[label], thresholds)
            intersection += hits
            union += label.sum() + above(score, thresholds) - hits
        ious = intersection / np.maximum(union, 1)
        best = ious.argmax()
        choices.append(Choice(size, float(KS[best]), float(ious[best])))
    return max(choices, key=lambda choice: choice.iou)


def score_split(method: str, choice: Choice, dataset: SIRSTDataset) -> dict[str, float]:
    """Evaluate a method on a split, in the units of the field."""
    totals = SmallTargetTotals()
    for image, label in pairs(dataset, f'{method}, test'):
        score = METHODS[method][0](image, choice.size)
        prediction = score > adaptive_threshold(score, choice.k)
        totals.add(count_image(prediction, label, score))
    return in_field_units(totals.scores())


def main() -> None:
    """Choose on one split, evaluate the other, print a table."""
    args = parse_args()
    selection, test = (read_split(args.data_root, s) for s in (args.select, args.test))
    rows, report = {}, {}
    for method in args.method:
        start = time.perf_counter()
        choice = choose(method, selection)
        scores = score_split(method, choice, test)
        rows[f'{method}, size {choice.size}, k {choice.k:g}'] = scores
        report[method] = dict(
            size=choice.size,
            k=choice.k,
            select=dict(split=args.select, IoU=100 * choice.iou),
            test=dict(split=args.test, **scores),
            seconds=time.perf_counter() - start,
        )
        print(
            f'{method}: size {choice.size} and k {choice.k:g} reach '
            f'{100 * choice.iou:.2f} % IoU on {args.select}; '
            f'{report[method]["seconds"]:.0f} s in all'
        )
    print(f'\n{args.test}\n\n{score_table(rows)}')
    if args.out:
        fileio.dump(report, args.out, indent=2)


if __name__ == '__main__':
    run_cli(main)
