"""Sphinx settings: Markdown pages, and an API reference from the docstrings."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

project = 'dugi_mae'
author = copyright = 'The dugi_mae contributors'
version = release = re.search(
    r"__version__ = '(.+)'", (ROOT / 'dugi_mae' / 'version.py').read_text('utf-8')
).group(1)

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3
exclude_patterns = ['_build']
html_theme = 'alabaster'
html_theme_options = dict(page_width='1100px', sidebar_width='230px')

# Of the hosts' base classes only names are needed.
HOSTS = ('mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg', 'pycocotools')
autodoc_mock_imports = [name for name in HOSTS if find_spec(name) is None]
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_preserve_defaults = True
napoleon_use_ivar = True

LINK = re.compile(r'\[((?:`[^`]*`|[^\]`])+)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)')


def without_files(app: object, docname: str, source: list[str]) -> None:
    """Name files of the repository that are no pages instead of linking to them."""
    folder = (DOCS / docname).parent

    def replace(match: re.Match) -> str:
        target = (folder / match[2]).resolve()
        if target.is_relative_to(DOCS):
            return match[0]
        path, label = target.relative_to(ROOT).as_posix(), match[1].strip('`')
        if path.endswith(label) or path.removesuffix('/README.md') == label:
            return f'`{path}`'
        return f'{match[1]} (`{path}`)'

    source[0] = LINK.sub(replace, source[0])


def setup(app: object) -> None:
    """Connect the hook."""
    app.connect('source-read', without_files)
