"""Sphinx settings: the pages are Markdown, nothing is imported."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

project = 'dugi_mae'
author = 'The dugi_mae contributors'
version = release = re.search(
    r"__version__ = '(.+)'", (ROOT / 'dugi_mae' / 'version.py').read_text('utf-8')
).group(1)

extensions = ['myst_parser']
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3
# Links into the repository outside docs/ work where the repository is read.
suppress_warnings = ['myst.xref_missing']
exclude_patterns = ['_build']
html_theme = 'alabaster'
