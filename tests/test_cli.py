"""What the command-line tools share."""

from __future__ import annotations

import argparse

import pytest
import torch

from dugi_mae.cli import load_config


@pytest.fixture
def keep_denormals():
    """Leave the floating-point mode of this process as it was."""
    yield
    torch.set_flush_denormal(False)


def test_denormal_numbers_are_flushed(tmp_path, keep_denormals):
    """Training on a CPU does not slow down where numbers get tiny."""
    if not torch.set_flush_denormal(True):
        pytest.skip('this CPU cannot flush denormal numbers')
    torch.set_flush_denormal(False)
    config = tmp_path / 'config.py'
    config.write_text("model = dict(type='ConvViT')\ndefault_scope = 'mmpretrain'\n")
    args = argparse.Namespace(
        config=config,
        cfg_options=None,
        launcher='none',
        local_rank=0,
        work_dir=str(tmp_path / 'work'),
    )
    tiny = torch.tensor([1e-30])
    assert (tiny * 1e-10).item() > 0
    load_config(args)
    assert (tiny * 1e-10).item() == 0
