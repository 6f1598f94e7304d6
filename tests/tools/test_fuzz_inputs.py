"""The fuzzer, with few cases, and that it notices what it looks for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dugi_mae.errors import DuGIError

FOLDER = Path(__file__).resolve().parents[2] / 'tools/dev'


@pytest.mark.slow
def test_no_damage_hurts():
    """Every case of all six categories ends in success or in a named refusal."""
    command = [sys.executable, FOLDER / 'fuzz_inputs.py', '--cases', '60']
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert not done.returncode, done.stdout + done.stderr
    rows = re.findall(r'^(\w+) +(\d+) +(\d+) +(\d+) +(\d+)$', done.stdout, re.M)
    assert [row[0] for row in rows] == [
        *('image', 'mask', 'annotation', 'split', 'checkpoint', 'config', 'all')
    ]
    for _, cases, success, refused, failed in rows:
        assert int(refused) > 0 and int(failed) == 0
        assert int(success) + int(refused) == int(cases)
    assert int(rows[-1][2]) > 0


@pytest.fixture
def tool(monkeypatch):
    """The tool as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import fuzz_inputs

    return fuzz_inputs


def test_one_case_can_be_run_again(tool, tmp_path):
    """The same case does the same twice and keeps its files."""
    first, second = (
        tool.run_case(tool.Case(0, 'split', 3, tmp_path / name)) for name in 'ab'
    )
    assert first.notes == second.notes
    lists = [tmp_path / name / 'set/train.txt' for name in 'ab']
    assert lists[0].read_bytes() == lists[1].read_bytes()


def test_a_case_alone_needs_its_category(tool, monkeypatch, capsys):
    """Argparse says so."""
    monkeypatch.setattr(sys, 'argv', ['fuzz_inputs.py', '--case', '3'])
    with pytest.raises(SystemExit):
        tool.main()
    assert 'name it with --category' in capsys.readouterr().err


def refuse(message):
    """A target that refuses, with the folder of the case in ``message``."""

    def target(trial):
        raise DuGIError(message.format(trial.folder))

    return target


@pytest.mark.parametrize(
    'target, status, error',
    [
        (lambda trial: None, 'success', ''),
        (refuse('{}/a.png is damaged: copy it again'), 'refused', 'copy it again'),
        (refuse('something is wrong'), 'failed', 'no line that names'),
        (refuse('{}\nis wrong'), 'failed', 'no line that names'),
        (lambda trial: {}['depths'], 'failed', 'KeyError'),
        (lambda trial: os._exit(3), 'failed', 'exit code 3'),
        (lambda trial: time.sleep(1000), 'failed', 'no end after 3 s'),
    ],
)
def test_what_counts_as_a_failure(tool, monkeypatch, tmp_path, target, status, error):
    """Only success and a line that names something are not failures."""
    monkeypatch.setitem(tool.CATEGORIES, 'image', target)
    case = tool.Case(0, 'image', 0, tmp_path / 'case')
    results = tool.map_despite_crashes(tool.run_case, [case], 1, 3)
    outcome = tool.as_outcome(next(results)[1], 3)
    assert outcome.status == status and error in outcome.error
