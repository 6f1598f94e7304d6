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
    command = [sys.executable, FOLDER / 'fuzz_inputs.py', '--cases', '180']
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


@pytest.mark.parametrize(
    'flags, message',
    [(('--case', '3'), 'name it with --category'), (('--cases', '0'), 'less than 1')],
)
def test_flags_that_do_not_go_together(tool, monkeypatch, capsys, flags, message):
    """Argparse names them."""
    monkeypatch.setattr(sys, 'argv', ['fuzz_inputs.py', *flags])
    with pytest.raises(SystemExit):
        tool.main()
    assert message in capsys.readouterr().err


@pytest.fixture
def fuzzer(monkeypatch, tmp_path, tool):
    """Outcome of a case with a target of one's own."""

    def outcome(target):
        monkeypatch.setitem(tool.CATEGORIES, 'image', target)
        case = tool.Case(0, 'image', 0, tmp_path / 'case')
        results = tool.map_despite_crashes(tool.run_case, [case], 1, 3)
        return tool.as_outcome(next(results)[1], 3)

    return outcome


def refuse(trial):
    """Name the folder, as a message must."""
    raise DuGIError(f'{trial.folder}/a.png is damaged: copy it again')


def refuse_nothing(trial):
    """Name neither file nor key."""
    raise DuGIError('something is wrong')


def refuse_at_length(trial):
    """Two lines."""
    raise DuGIError(f'{trial.folder}\nis wrong')


def fail(trial):
    """An exception from the depths."""
    raise KeyError('depths')


def crash(trial):
    """The end of the process."""
    os._exit(3)


def hang(trial):
    """No end."""
    time.sleep(1000)


@pytest.mark.parametrize(
    'target, status, error',
    [
        (lambda trial: None, 'success', ''),
        (refuse, 'refused', 'copy it again'),
        (refuse_nothing, 'failed', 'no line that names'),
        (refuse_at_length, 'failed', 'no line that names'),
        (fail, 'failed', 'KeyError'),
        (crash, 'failed', 'exit code 3'),
        (hang, 'failed', 'no end after 3 s'),
    ],
)
def test_what_counts_as_a_failure(fuzzer, target, status, error):
    """Only success and a line that names something are not failures."""
    outcome = fuzzer(target)
    assert outcome.status == status and error in outcome.error
