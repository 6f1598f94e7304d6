"""Work that goes on when processes crash."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / 'tools/dataset_converters'))

from processes import Crash, map_despite_crashes


def work(item: int) -> int:
    """Square, unless the item kills the process."""
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 4:
        sys.exit(7)
    if item == 5:
        raise RuntimeError
    return item**2


@pytest.mark.parametrize('jobs', [1, 12])
def test_a_crash_costs_its_item_alone(jobs):
    """Every item comes back once, with its result or its process's exit code."""
    results = dict(map_despite_crashes(work, range(10), jobs))
    codes = {3: -signal.SIGKILL, 4: 7, 5: 1}
    assert results == {i: Crash(codes[i]) if i in codes else i**2 for i in range(10)}


def wait_for_ever(item: int) -> int:
    """Answer to the first item only."""
    time.sleep(1000 * item)
    return os.getpid()


def test_no_process_is_left():
    """Whoever stops early leaves no process behind."""
    results = map_despite_crashes(wait_for_ever, range(3), 2)
    _, child = next(results)
    results.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    pytest.fail('a process is still running')


def test_too_long_is_a_crash():
    """A process that does not answer in time is killed, and the others go on."""
    results = dict(map_despite_crashes(wait_for_ever, [0, 1, 0.0], 1, timeout=1))
    assert results[1] == Crash(-signal.SIGKILL, timed_out=True)
    assert not isinstance(results[0], Crash)
