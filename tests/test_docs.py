"""What users copy from the documentation works, and what it names exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools/dev'))
lint_docs = pytest.importorskip('lint_docs')


def test_six_lines_give_the_maps(tmp_path):
    """The first Python block runs as printed, on 16 bits, without any mm package."""
    counts = np.random.RandomState(0).randint(6700, 7100, (96, 130))
    tifffile.imwrite(tmp_path / 'scene.tiff', counts.astype(np.uint16))
    code, same = (
        lint_docs.blocks(page, 'python')[0]
        for page in ('README.md', 'docs/get_started.md')
    )
    assert code == same
    assert len(code.split('\n\n')[1].splitlines()) <= 6
    hosts = "assert not {'mmengine', 'mmcv'} & {*__import__('sys').modules}"
    command = [sys.executable, '-c', f'{code}\n{hosts}']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for shape in ('(1, 64, 24, 33)', '(1, 128, 12, 17)', '(1, 192, 6, 9)'):
        assert shape in done.stdout


def test_what_pages_name_exists():
    """Links, files, flags and targets in all pages."""
    assert lint_docs.lint() == []


def test_lint_sees_what_is_wrong(tmp_path, monkeypatch):
    """A page of mistakes gives one problem for each."""
    (tmp_path / 'page.md').write_text(
        '# Title\n[a](nowhere.md) [b](#none) tools/nothing.py\n'
        '```bash\npython tools/train.py X --nothing\nmake nothing\n```\n'
    )
    monkeypatch.setattr(lint_docs, 'pages', lambda: [str(tmp_path / 'page.md')])
    problems = lint_docs.lint()
    expected = ('nowhere.md', '#none', 'tools/nothing.py', '--nothing', 'target noth')
    for part in expected:
        assert re.search(re.escape(part), '\n'.join(problems)), part
    assert len(problems) == len(expected)
