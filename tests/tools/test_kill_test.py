"""The kill test itself, with few kills."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools/dev/kill_test.py'


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='it forks and kills groups')
@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_kills_do_not_change_the_run(loop):
    """Some kills land in a write, and the final run equals the one left alone."""
    flags = ['--kills', '2', '--loop', loop]
    done = subprocess.run(
        [sys.executable, TOOL, *flags], capture_output=True, text=True, timeout=600
    )
    assert not done.returncode, done.stderr
    assert 'kills: 2, of which by SIGTERM: 1' in done.stdout
    in_write = re.search(r'checkpoint write: (\d)', done.stdout)
    assert int(in_write[1]) >= 1
    assert 'resumes: 2' in done.stdout
    assert 'losses that differ from the uninterrupted run: 0' in done.stdout
    assert 'parts of the final checkpoint that differ: none' in done.stdout
