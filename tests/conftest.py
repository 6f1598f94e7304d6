"""What all tests share: one thread, fixed seeds, and skips that say why."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

# Before torch is imported by any test: toy tensors gain nothing from more threads, and
# the workers of pytest-xdist would fight for the cores.
os.environ['OMP_NUM_THREADS'] = '1'
os.environ['MKL_NUM_THREADS'] = '1'
os.environ.setdefault('MPLBACKEND', 'Agg')

REPO_ROOT = Path(__file__).resolve().parents[1]
DATA_ROOT = Path(
    os.environ.get('DUGI_DATA') or REPO_ROOT.parent / 'shared' / 'data'
).resolve()
NO_DATA = f'no real infrared images in {DATA_ROOT}: set DUGI_DATA to their folder'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    gpu = [item for item in items if item.get_closest_marker('gpu')]
    if gpu and not has_cuda():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason='no CUDA device'))
    if not DATA_ROOT.is_dir():
        for item in items:
            if item.get_closest_marker('real_data'):
                item.add_marker(pytest.mark.skip(reason=NO_DATA))


def has_cuda() -> bool:
    """Whether torch is here and sees a device."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Start every test from the same random state, whatever ran before it.

    Only libraries that are loaded already are touched, so that a test without torch
    does not pay for importing it.
    """
    random.seed(0)
    if 'numpy' in sys.modules:
        sys.modules['numpy'].random.seed(0)
    if 'torch' in sys.modules:
        sys.modules['torch'].manual_seed(0)
        sys.modules['torch'].set_num_threads(1)


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """The folder of this checkout."""
    return REPO_ROOT


@pytest.fixture(scope='session')
def data_root() -> Path:
    """The folder of real infrared images; the test is skipped where there is none."""
    if not DATA_ROOT.is_dir():
        pytest.skip(NO_DATA)
    return DATA_ROOT
