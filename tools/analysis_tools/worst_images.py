"""Draw the images in which a small-target model is wrong most, as one picture.

Below each stand its name, the false and the missed pixels. Also prints what these
images cost: the IoU of the set with and without them. With --curve writes false alarms
and detections at many thresholds.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.apis import SmallTargetInferencer
from dugi_mae.apis.run import write_picture
from dugi_mae.apis.small_target_result import SmallTargetResult
from dugi_mae.cli import at_least, run_cli
from dugi_mae.evaluation.small_target import SmallTargetTotals, count_image
from dugi_mae.files import files_by_name, find_listed, make_folder, read_lines
from dugi_mae.images.loading import load_infrared
from dugi_mae.visualization import draw_small_targets
from dugi_mae.zoo import SMALL_TARGET_MODELS

#: Side of a picture and height of its caption, in pixels.
SIDE, CAPTION = 480, 30


class Row(NamedTuple):
    """An image, what was found in it, and its right, false and missed pixels."""

    path: Path
    result: SmallTargetResult
    right: int
    false: int
    missed: int


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config, or a model that ships: irstd-nano')
    parser.add_argument('checkpoint', nargs='?', help='none for a model that ships')
    parser.add_argument('--images', type=Path, required=True, help='folder')
    parser.add_argument('--gt', type=Path, required=True, help='folder of true masks')
    parser.add_argument('--split', type=Path, help='file that lists the images (all)')
    parser.add_argument('--count', type=at_least(1), default=10, help='images, 10')
    parser.add_argument('--out', type=Path, required=True, help='PNG file to write')
    parser.add_argument('--curve', type=Path, help='JSON file to write')
    args = parser.parse_args()
    if args.checkpoint is None and args.config not in SMALL_TARGET_MODELS:
        parser.error(f'name the checkpoint of {args.config}')
    return args


def list_images(folder: Path, split: Path | None) -> list[Path]:
    """The images of a split, or all of a folder."""
    images = files_by_name(folder, 'correct --images').values()
    if split is None:
        return list(images)
    lines = read_lines(split, 'split file', 'correct --split')
    files = [path.relative_to(folder).as_posix() for path in images]
    return [folder / file for file in find_listed(lines, files, str(split), folder)]


def write_curve(
    path: Path, results: list[SmallTargetResult], options: dict[str, Any]
) -> None:
    """Fa (pixels over pixels) and Pd of results at thresholds from low to high."""
    curve: dict[str, list[float]] = dict(thresholds=[], fa=[], pd=[])
    for logit in np.linspace(-4, 16, 41):
        threshold, totals = 1 / (1 + math.exp(-logit)), SmallTargetTotals()
        for result in results:
            found, true = result.probability > threshold, result.match.gt.ids > 0
            totals.add(count_image(found, true, **options))
        scores = totals.scores()
        values = threshold, scores['Fa'], scores['Pd']
        for key, value in zip(curve, values, strict=True):
            curve[key].append(float(f'{value:.8g}'))
    make_folder(path.parent)
    path.write_text(json.dumps(curve, indent=1) + '\n', encoding='utf-8')


def caption(picture: ndarray, text: str) -> ndarray:
    """A picture in a square with text below, ``(SIDE + CAPTION, SIDE, 3)``."""
    scale = SIDE / max(picture.shape[:2])
    picture = cv2.resize(picture, None, fx=scale, fy=scale)
    cell = np.full((SIDE + CAPTION, SIDE, 3), 255, np.uint8)
    cell[: picture.shape[0], : picture.shape[1]] = picture
    place = (4, SIDE + CAPTION - 10)
    return cv2.putText(cell, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    paths = list_images(args.images, args.split)
    find = SmallTargetInferencer(args.config, args.checkpoint)
    options = {key: find.matching[key] for key in ('distance', 'fa_match')}
    rows = []
    for path, result in zip(paths, find.stream(paths, gt=args.gt), strict=True):
        counts = count_image(result.mask, result.match.gt.ids > 0, **options)
        false = counts.predicted - counts.intersection
        missed = counts.labelled - counts.intersection
        rows.append(Row(path, result, counts.intersection, false, missed))
    if args.curve:
        write_curve(args.curve, [row.result for row in rows], options)
    rows.sort(key=lambda row: row.false + row.missed, reverse=True)
    cells = []
    for row in rows[: args.count]:
        grey = load_infrared(row.path, channels=1)[..., 0]
        picture = draw_small_targets(grey, row.result.mask, row.result.match)
        text = f'{row.path.stem}: {row.false} false, {row.missed} missed'
        cells.append(caption(picture, text))
        print(text)
    for name, part in (('all', rows), ('without these', rows[args.count :])):
        right = sum(row.right for row in part)
        if union := right + sum(row.false + row.missed for row in part):
            print(f'IoU of {len(part)} images, {name}: {100 * right / union:.1f}')
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % 5)
    lines = [np.hstack(cells[i : i + 5]) for i in range(0, len(cells), 5)]
    write_picture(args.out, np.vstack(lines))


if __name__ == '__main__':
    run_cli(main)
