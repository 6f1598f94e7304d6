"""The COCO metric when it is built; what it computes is tested with its data set."""

from __future__ import annotations

import pytest

pytest.importorskip('mmdet')

from dugi_mae.errors import DuGIError
from dugi_mae.mmdet import InfraredCocoMetric


def test_a_missing_file_is_named_before_training():
    """Not after the first epoch, and with the key to correct."""
    with pytest.raises(DuGIError, match=r'no\.json.*val_evaluator\.ann_file'):
        InfraredCocoMetric('no.json')
