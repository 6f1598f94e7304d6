"""Masks of targets are read by a threshold, and ambiguous ones refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from dugi_mae.annotations.target_masks import target_mask
from dugi_mae.errors import DuGIError

TARGETS = np.zeros((64, 80), np.uint8)
for row, column in ((8, 10), (8, 60), (30, 36), (50, 12), (52, 66)):
    TARGETS[row : row + 4, column : column + 5] = 1


def changed(*changes: tuple) -> np.ndarray:
    """A mask of 0 and 255 with other values at some places."""
    mask = TARGETS * 255
    for place, value in changes:
        mask[place] = value
    return mask


def count(mask: np.ndarray) -> int:
    """Number of 8-connected targets, by another library than ours."""
    return ndimage.label(mask == 1, np.ones((3, 3)))[1]


EDGES = changed((np.s_[7, 10:15], 90), (np.s_[12, 10:15], 40))
#: Masks and the number of pixels between black and the largest value.
READ = {
    '0/1': (TARGETS, 0),
    '0/255': (TARGETS * 255, 0),
    '0/3': (TARGETS * 3, 0),
    '16-bit': (TARGETS.astype(np.uint16) * 65535, 0),
    'grey edges': (EDGES, 10),
    'pixels of 1': (changed(((20, 20), 1), ((40, 70), 1)), 2),
    'three channels': (np.dstack([EDGES] * 3), 10),
    'opaque alpha': (np.dstack([EDGES] * 3 + [np.full_like(EDGES, 255)]), 10),
    'one colour': (np.dstack([TARGETS * 0, TARGETS * 200, TARGETS * 0]), 0),
    'probabilities': (np.where(EDGES == 255, 0.9, EDGES / 255), 10),
}


@pytest.mark.parametrize(('mask', 'between'), READ.values(), ids=READ)
def test_forms(mask, between):
    """All forms give the same targets, and grey pixels are counted."""
    found, number = target_mask(mask)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, TARGETS)
    assert number == between


@pytest.mark.parametrize('quality', [75, 90, 95])
def test_jpeg(quality):
    """Ringing around targets makes none: 5 stay 5, which "not black" would not."""
    content = cv2.imencode('.jpg', TARGETS * 255, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(content[1], cv2.IMREAD_UNCHANGED)
    found, between = target_mask(decoded)
    assert count(found) == 5
    np.testing.assert_array_equal(found, TARGETS)
    assert between == ((decoded > 0) & (decoded < decoded.max())).sum() > 0


@pytest.mark.parametrize('side', range(4))
def test_a_frame_of_255_beside_1_is_ignored(side):
    """Padding of 255 around a 0/1 mask is neither target nor background."""
    mask = np.rot90(TARGETS, side).copy()
    mask[-3:] = 255
    found, _ = target_mask(mask)
    np.testing.assert_array_equal(found, mask)


def test_settings():
    """A stated threshold, and a stated value to ignore."""
    found, between = target_mask(EDGES, threshold=40)
    assert found.sum() == TARGETS.sum() + 10 and between == 10
    ring = cv2.dilate(TARGETS, np.ones((3, 3))) - TARGETS
    mask = TARGETS + 255 * ring
    with pytest.raises(DuGIError, match='0, 1 and 255.*ignore_value=255'):
        target_mask(mask)
    found, _ = target_mask(mask, ignore_value=255)
    np.testing.assert_array_equal(found, mask)


def test_nothing_is_a_mask():
    """Black without any target."""
    found, between = target_mask(np.zeros((5, 6), np.uint8))
    assert found.shape == (5, 6) and not found.any() and between == 0


NUMBERED = ndimage.label(TARGETS)[0].astype(np.uint8)
AMBIGUOUS = {
    'white background': (255 - TARGETS * 255, 'calls 98% of the image.*invert'),
    'all white': (np.full((9, 9), 255, np.uint8), 'calls 100%'),
    'in alpha alone': (
        np.dstack([TARGETS * 0] * 3 + [TARGETS * 255]),
        'alpha channel alone: save',
    ),
    'numbers of targets': (NUMBERED, '0, 1, 2, 3, 4, ...: .*set the threshold'),
    'two colours': (
        np.dstack([TARGETS * 0, NUMBERED // 3 * 200, TARGETS * 200]),
        '2 colours',
    ),
}


@pytest.mark.parametrize(('mask', 'message'), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous(mask, message):
    """What can be read in two ways names the file and what to do."""
    with pytest.raises(DuGIError, match=f'^mask a.png .*{message}') as caught:
        target_mask(mask, 'a.png')
    assert '\n' not in str(caught.value)


def test_numbers_of_targets_can_be_read():
    """With the threshold that the message names."""
    found, _ = target_mask(NUMBERED, threshold=1)
    np.testing.assert_array_equal(found, TARGETS)
