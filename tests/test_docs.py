"""What users copy from the documentation works; the rest is `make lint-docs`."""

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


@pytest.mark.parametrize('page', ['README.md', 'docs/get_started.md'])
def test_six_lines_give_the_maps(page, tmp_path):
    """The first Python block runs as printed, on 16 bits, without any mm package."""
    counts = np.random.RandomState(0).randint(6700, 7100, (96, 130))
    tifffile.imwrite(tmp_path / 'scene.tiff', counts.astype(np.uint16))
    code = lint_docs.blocks(page, 'python')[0]
    assert len(code.split('\n\n')[1].splitlines()) <= 6
    hosts = "assert not {'mmengine', 'mmcv'} & {*__import__('sys').modules}"
    done = subprocess.run(
        [sys.executable, '-c', f'{code}\n{hosts}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for shape in ('(1, 64, 24, 33)', '(1, 128, 12, 17)', '(1, 192, 6, 9)'):
        assert shape in done.stdout


@pytest.mark.parametrize('check', ['check_links', 'check_files', 'check_flags'])
def test_what_pages_name_exists(check):
    """Links, files and flags in all pages."""
    assert lint_docs.lint((getattr(lint_docs, check),)) == []


def test_lint_sees_what_is_wrong(tmp_path, monkeypatch):
    """A page of mistakes gives one problem for each."""
    text = (
        '# Title\n[a](nowhere.md) [b](#none) tools/nothing.py `dugi_mae.nothing`\n'
        '```bash\npython tools/train.py X --nothing\nmake nothing\n```\n'
        "```python\nfrom dugi_mae.ops import nothing\ndict(type='Nothing')\n```\n"
    )
    (tmp_path / 'page.md').write_text(text + 'x' * 200)
    monkeypatch.setattr(lint_docs, 'pages', lambda: [str(tmp_path / 'page.md')])
    problems = '\n'.join(lint_docs.lint())
    expected = (
        r'nowhere\.md',
        '#none',
        r'tools/nothing\.py',
        r'dugi_mae\.nothing',
        '--nothing',
        'target nothing',
        r'ops\.nothing',
        'type Nothing',
        '200 characters',
    )
    for pattern in expected:
        assert re.search(pattern, problems), pattern
    assert len(problems.splitlines()) == len(expected)
