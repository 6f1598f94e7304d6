"""The small-target scores against loops that share no code with them."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.evaluation import small_target_scores
from dugi_mae.evaluation.roc_curve import LOGIT_RANGE, SCORE_BINS
from dugi_mae.evaluation.small_target import (
    SmallTargetTotals,
    count_image,
    in_field_units,
    score_table,
)
from dugi_mae.evaluation.target_matching import match_targets


def mask(text: str) -> np.ndarray:
    """A mask from a picture, one word a row, ``#`` for a target's pixel."""
    return np.array([[c == '#' for c in row] for row in text.split()])


def blank(*pixels: tuple[int, int], size: tuple[int, int] = (16, 24)) -> np.ndarray:
    """A mask with these pixels y, x set."""
    result = np.zeros(size, bool)
    for y, x in pixels:
        result[y, x] = True
    return result


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def slow_components(mask) -> list[list[tuple[int, int]]]:
    """The 8-connected components by flood fill, in raster order."""
    height, width = mask.shape
    seen, components = set(), []
    for y in range(height):
        for x in range(width):
            if not mask[y, x] or (y, x) in seen:
                continue
            pixels, stack = [], [(y, x)]
            seen.add((y, x))
            while stack:
                v, u = stack.pop()
                pixels.append((v, u))
                for dv in (-1, 0, 1):
                    for du in (-1, 0, 1):
                        p, q = v + dv, u + du
                        inside = 0 <= p < height and 0 <= q < width
                        if inside and mask[p, q] and (p, q) not in seen:
                            seen.add((p, q))
                            stack.append((p, q))
            components.append(pixels)
    return components


def slow_match(prediction, label, distance) -> tuple[int, int, list[int], list[int]]:
    """Numbers of targets and hits, areas of matched and of other components."""
    true, free = slow_components(label), slow_components(prediction)
    hits, matched = 0, []
    for target in true:
        for response in free:
            squared = Fraction(0)
            for axis in (0, 1):
                squared += (
                    Fraction(sum(p[axis] for p in target), len(target))
                    - Fraction(sum(p[axis] for p in response), len(response))
                ) ** 2
            if squared < Fraction(distance) ** 2:
                hits += 1
                matched.append(len(response))
                free.remove(response)
                break
    return len(true), hits, matched, [len(response) for response in free]


def divide(part, whole) -> float:
    return part / whole if whole else math.nan


def slow_auc(scores, labels, step=None) -> float:
    """Share of pairs of a target and another pixel in the right order, ties half.

    With ``step`` the logits of the scores count in such steps, within their range.
    """

    def rank(score: float) -> float:
        if step is None:
            return score
        if score in (0, 1):
            return (2 * score - 1) * LOGIT_RANGE // step
        logit = math.log(score / (1 - score))
        return max(-LOGIT_RANGE, min(logit, LOGIT_RANGE)) // step

    ranks = [
        (rank(float(score)), truth)
        for image, label in zip(scores, labels, strict=True)
        for score, truth in zip(image.flatten(), label.flatten(), strict=True)
    ]
    positive = [value for value, truth in ranks if truth]
    negative = [value for value, truth in ranks if not truth]
    right = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    return divide(right, len(positive) * len(negative))


def slow_scores(predictions, labels, distance, empty, fa_match) -> dict[str, float]:
    """All scores but AUC, pixel by pixel."""
    both = either = predicted = true = pixels = 0
    targets = hits = false = 0
    ious = []
    for prediction, label in zip(predictions, labels, strict=True):
        overlap = joined = 0
        for y in range(label.shape[0]):
            for x in range(label.shape[1]):
                overlap += bool(prediction[y, x] and label[y, x])
                joined += bool(prediction[y, x] or label[y, x])
                predicted += bool(prediction[y, x])
                true += bool(label[y, x])
                pixels += 1
        both, either = both + overlap, either + joined
        if joined:
            ious.append(overlap / joined)
        elif empty != 'skip':
            ious.append({'one': 1, 'zero': 0}[empty])
        number, found, matched, others = slow_match(prediction, label, distance)
        targets, hits = targets + number, hits + found
        for area in others:
            if fa_match == 'component' or area not in matched:
                false += area
    precision, recall = divide(both, predicted), divide(both, true)
    if both:
        f1 = 2 * precision * recall / (precision + recall)
    else:
        f1 = 0.0 if either else math.nan
    return dict(
        IoU=divide(both, either),
        nIoU=divide(sum(ious), len(ious)),
        Pd=divide(hits, targets),
        Fa=divide(false, pixels),
        F1=f1,
        Precision=precision,
        Recall=recall,
    )


def random_set(rng) -> tuple[list, list]:
    """One to four pairs of masks: blobs that are moved, split, joined, lost, invented.

    Images may be empty, sizes differ.
    """
    predictions, labels = [], []
    for _ in range(rng.integers(1, 5)):
        height, width = rng.integers(4, 25, 2)
        pair = np.zeros((2, height, width), bool)
        for _ in range(rng.integers(0, 9)):
            y, x = rng.integers(0, height), rng.integers(0, width)
            for i in range(2):
                if rng.random() < 0.75:
                    v, u = max(0, y + rng.integers(-3, 4)), max(0, x)
                    h, w = rng.integers(1, 5, 2)
                    pair[i, v : v + h, u : u + w] = True
        pair ^= rng.random(pair.shape) < rng.choice([0, 0, 0.01, 0.1])
        predictions.append(pair[0])
        labels.append(pair[1])
    return predictions, labels


@pytest.mark.parametrize('seed', range(200))
def test_equals_the_loops(seed):
    """Every score on random sets, under every option."""
    rng = np.random.default_rng(seed)
    predictions, labels = random_set(rng)
    options = dict(
        distance=float(rng.choice([1, 2, 3, 3, 3, 5])),
        empty=rng.choice(['skip', 'one', 'zero']),
        fa_match=rng.choice(['component', 'area']),
    )
    result = small_target_scores(predictions, labels, **options)
    expected = slow_scores(predictions, labels, **options)
    assert result == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize('seed', range(20))
def test_match_equals_the_loops(seed):
    """Components are numbered in raster order and matched one to one."""
    rng = np.random.default_rng(seed)
    for prediction, label in zip(*random_set(rng), strict=True):
        match = match_targets(prediction, label)
        for found, image in ((match.predicted, prediction), (match.gt, label)):
            components = slow_components(image)
            assert found.ids.max() == len(found.areas) == len(components)
            for number, pixels in enumerate(components, 1):
                assert {found.ids[p] for p in pixels} == {number}
                y, x = np.transpose(pixels)
                box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
                assert found.boxes[number - 1].tolist() == box
                assert found.areas[number - 1] == len(pixels)
                centroid = [x.mean(), y.mean()]
                assert found.centroids[number - 1] == pytest.approx(centroid)
        number, hits, _, others = slow_match(prediction, label, 3)
        assert len(match.labels) == number
        assert len(match.hits) == hits and len(match.misses) == number - hits
        assert sorted([*match.hits, *match.misses]) == list(range(1, number + 1))
        used = match.labels[match.labels != -1]
        assert sorted([*used, *match.false_alarms]) == list(
            range(1, len(match.predicted.areas) + 1)
        )
        assert match.predicted.areas[match.false_alarms - 1].tolist() == others


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('kind', ['even', 'network', 'saturated', 'constant'])
def test_auc_equals_the_pairs(seed, kind):
    """AUC is the share of rightly ordered pairs of pixels, pooled over the images.

    Rounding the scores hardly matters, neither for scores all over 0..1 nor for those
    of a network that is sure of nearly everything.
    """
    rng = np.random.default_rng(seed)
    scores, labels = [], []
    for _ in range(3):
        labels.append(rng.random((6, 9)) < 0.2)
        if kind == 'network':
            score = sigmoid(rng.normal(-9, 2, (6, 9)) + 2 * labels[-1])
        else:
            score = rng.random((6, 9)) + 0.3 * labels[-1]
        if kind == 'saturated':
            score = np.round(4 * score) - 2
        scores.append(np.clip(score, 0, 1).astype(np.float32))
        if kind == 'constant':
            scores[-1][:] = 0.25
    auc = small_target_scores([s > 0.5 for s in scores], labels, scores)['AUC']
    step = 2 * LOGIT_RANGE / SCORE_BINS
    assert auc == pytest.approx(slow_auc(scores, labels, step), abs=1e-12)
    assert auc == pytest.approx(slow_auc(scores, labels), abs=2e-3)
    if kind == 'constant':
        assert auc == pytest.approx(0.5)


def test_roc_equals_thresholding():
    """Each point of the curve is what its threshold gives, from none to all."""
    rng = np.random.default_rng(0)
    label, score = rng.random((12, 10)) < 0.3, rng.random((12, 10))
    totals = SmallTargetTotals()
    totals.add(count_image(score > 0.5, label, score))
    roc = totals.roc()
    assert (roc.tpr[0], roc.fpr[0], roc.tpr[-1], roc.fpr[-1]) == (0, 0, 1, 1)
    for threshold, tpr, fpr in list(zip(*roc, strict=True))[1::97]:
        found = score >= threshold
        assert tpr == pytest.approx(found[label].mean())
        assert fpr == pytest.approx(found[~label].mean())


@pytest.mark.parametrize(
    ('prediction', 'label', 'labels', 'false_alarms'),
    [
        # The first in raster order is the hit, even if the other is nearer.
        (blank((6, 8), (9, 8), (9, 9)), blank((8, 8)), [1], [2]),
        # A prediction near two targets counts for the first only.
        (blank((8, 10)), blank((8, 8), (8, 12)), [1, -1], []),
        # A target keeps its component, though a later one then finds none.
        (blank((7, 10), (9, 7)), blank((8, 8), (8, 12)), [1, -1], [2]),
        # Of a target split in two, one half is the hit, the other a false alarm.
        (mask('....... ##.###. ##.###.'), mask('....... ######. ######.'), [1], [2]),
        # Connectivity is 8, in both masks.
        (mask('..# .#. #..'), mask('#.. .#. ..#'), [1], []),
    ],
)
def test_matching_rules(prediction, label, labels, false_alarms):
    """Greedy, in raster order, one to one."""
    match = match_targets(prediction, label)
    assert match.labels.tolist() == labels
    assert match.false_alarms.tolist() == false_alarms


@pytest.mark.parametrize(
    ('shift', 'hit'), [((0, 3), 0), ((3, 0), 0), ((2, 2), 1), ((0, 2), 1), ((3, 1), 0)]
)
@pytest.mark.parametrize('start', [(0, 0), (601, 333)])
def test_exactly_three_pixels_is_a_miss(shift, hit, start):
    """Strictly less than 3 pixels, wherever the target lies and whatever its shape.

    Its centroid has sevenths, which floating point rounds differently from place to
    place.
    """
    shape = mask('###.. ...## ....# ....#')
    label, prediction = np.zeros((2, 640, 400), bool)
    y, x = start
    label[y : y + 4, x : x + 5] = shape
    y, x = y + shift[0], x + shift[1]
    prediction[y : y + 4, x : x + 5] = shape
    assert small_target_scores([prediction], [label])['Pd'] == hit


def test_no_target_in_the_set():
    """What cannot be counted is nan, never 0 or 1."""
    scores = small_target_scores([blank()], [blank()], [np.zeros((16, 24))])
    nan = [key for key, value in scores.items() if math.isnan(value)]
    assert nan == ['IoU', 'nIoU', 'Pd', 'F1', 'Precision', 'Recall', 'AUC']
    assert scores['Fa'] == 0


def test_grey_masks():
    """Whatever is not black is target, in area and in intersection alike."""
    label = np.array([[0, 1, 0, 0], [0, 128, 255, 0]], np.uint8)
    assert small_target_scores([label > 0], [label])['IoU'] == 1
    assert small_target_scores([label // 255], [label]) == small_target_scores(
        [label > 254], [label > 0]
    )


def test_pixels_that_do_not_count():
    """Outside ``valid`` neither truth, prediction, score nor area exists."""
    label, prediction = blank((2, 2), (9, 9)), blank((2, 2), (12, 12))
    valid, score = np.ones((16, 24), bool), np.zeros((16, 24))
    valid[8:] = False
    score[2, 2], score[8:] = 1, 1
    totals = SmallTargetTotals()
    totals.add(count_image(prediction, label, score, valid))
    scores = totals.scores()
    assert scores.pop('Fa') == 0
    assert set(scores.values()) == {1}
    assert totals.sums['pixels'] == 8 * 24


def test_memory_does_not_grow():
    """What is kept of a set has one size for one image and for many."""
    totals, sizes, rng = SmallTargetTotals(), {}, np.random.default_rng(0)
    for number in range(1, 301):
        score = rng.random((8, 8))
        totals.add(count_image(score > 0.5, score > 0.6, score))
        sizes[number] = len(pickle.dumps(totals))
    # Larger numbers take a few bytes more, results of 297 images at least 297.
    assert sizes[300] - sizes[3] < 64
    assert totals.sums['histogram'].dtype == np.int64


def test_units_and_table():
    """Papers print Fa in 1e-6 and the rest in percent; never "mIoU"."""
    scores = in_field_units(small_target_scores([blank((3, 3))], [blank((3, 3))]))
    assert scores['IoU'] == 100
    assert in_field_units(dict(Fa=1e-5, Pd=0.5)) == dict(Fa=pytest.approx(10), Pd=50)
    head, line, row = score_table({'ours': scores}).splitlines()
    assert head.startswith('|  | IoU (%) | nIoU (%) | Pd (%) | Fa (1e-6) | F1 (%) |')
    assert row.startswith('| ours | 100.00 | 100.00 | 100.00 | 0.00 | 100.00 |')
    assert head.count('|') == line.count('|') == row.count('|')
    assert 'mIoU' not in head


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(predictions=[]), '0 predictions, 1 labels'),
        (dict(scores=[]), '1 labels, 0 scores: give one'),
        (dict(predictions=[], labels=[]), 'give at least one image'),
        (dict(predictions=[np.ones((4, 5))]), r'prediction is float64.*> 0\.5'),
        (dict(labels=[np.ones((1, 4, 5), bool)]), r'label .*\(1, 4, 5\).*\(H, W\)'),
        (dict(predictions=[np.ones((5, 4), bool)]), r'prediction .*\(5, 4\).*label'),
        (dict(scores=[np.ones((2, 2))]), r'score .*\(2, 2\), label \(4, 5\)'),
        (dict(scores=[np.full((4, 5), 1.5)]), r'score .*0\.\.1.*give probabilities'),
        (dict(scores=[np.full((4, 5), np.nan)]), r'score .*0\.\.1'),
        (dict(empty='none'), "empty='none'.*'one'"),
        (dict(fa_match='areas'), "fa_match='areas'.*'area'"),
    ],
)
def test_bad_input(change, message):
    """One line that names what is wrong and what to do."""
    good = dict(predictions=[np.ones((4, 5), bool)], labels=[np.ones((4, 5), bool)])
    with pytest.raises(DuGIError, match=message) as caught:
        small_target_scores(**{**good, **change})
    assert '\n' not in str(caught.value)
