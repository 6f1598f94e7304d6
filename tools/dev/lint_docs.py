"""Check that the documentation speaks of files, tools and flags that exist.

    python tools/dev/lint_docs.py

Reads all Markdown of the repository, prints one line for each problem and exits with 1
if there are any. ``make docs`` builds the pages of ``docs/`` with warnings as errors.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ('*.md', 'docs/**/*.md', 'configs/**/*.md', 'weights/*.md', 'examples/*.md')
FENCE = re.compile(r'^ *```([^\n]*)\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'\]\(([^)\s]+)\)')
#: Paths of files as text names them.
FILE = re.compile(
    r'(?<![\w/.-])(?:tools|configs|tests|requirements|examples|docs)'
    r'/[\w./-]+\.(?:py|sh|txt|md)\b'
)
Problems = Iterator[str]


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding='utf-8')


def pages() -> list[str]:
    """All pages, built ones apart; the changelog tells old names and is no guide."""
    found = {path for pattern in PATTERNS for path in ROOT.glob(pattern)}
    names = (path.relative_to(ROOT).as_posix() for path in sorted(found))
    return [n for n in names if '_build' not in n and n != 'CHANGELOG.md']


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return [body for name, body in FENCE.findall(read(page)) if name == language]


def slugs(page: str) -> set[str]:
    """Anchors of a page's headings, as they are made where it is read."""
    titles = re.findall(r'^#+ +(.+)$', FENCE.sub('', read(page)), re.MULTILINE)
    kept = (re.sub(r'[^\w\- ]', '', title.lower()) for title in titles)
    return {title.strip().replace(' ', '-') for title in kept}


def check_links(page: str) -> Problems:
    """A link to a file finds it in the checkout, one with an anchor its heading."""
    for link in LINK.findall(FENCE.sub('', read(page))):
        if re.match(r'[a-z]+:', link):
            continue
        path, _, anchor = link.partition('#')
        target = ((ROOT / page).parent / path if path else ROOT / page).resolve()
        if not target.exists() or not target.is_relative_to(ROOT):
            yield f'link {link} leads nowhere'
        elif anchor and anchor not in slugs(target.relative_to(ROOT).as_posix()):
            yield f'link {link}: no such heading'


def check_files(page: str) -> Problems:
    """Every file that a page names by its path is there."""
    for path in sorted(set(FILE.findall(read(page)))):
        if not (ROOT / path).is_file():
            yield f'{path} does not exist'


def check_commands(page: str) -> Problems:
    """Our tools know the flags after them, and make its targets."""
    targets = re.findall(r'^([\w-]+):', read('Makefile'), re.MULTILINE)
    lines = '\n'.join(blocks(page, 'bash')).replace('\\\n', ' ').splitlines()
    for words in (shlex.split(line, comments=True) for line in lines):
        if words[:1] == ['make']:
            named = {w for w in words[1:] if '=' not in w and not w.startswith('-')}
            yield from (f'make has no target {t}' for t in sorted(named - {*targets}))
        tool = next((w for w in words if re.match(r'(tools|examples)/', w)), '')
        tool = re.sub(r'(dist|slurm)_(\w+)\.sh', r'\2.py', tool)
        if not (ROOT / tool).is_file():
            continue
        known = read(tool) + read('dugi_mae/cli.py')
        for flag in (word for word in words if word.startswith('--')):
            if not re.search(rf"['\"]{flag}['\"]", known):
                yield f'{tool} has no flag {flag}'


def check_metafiles() -> Problems:
    """The model index agrees with its configs, the citation with the version."""
    version = re.search(r"__version__ = '(.+)'", read('dugi_mae/version.py'))[1]
    if str(yaml.safe_load(read('CITATION.cff'))['version']) != version:
        yield f'CITATION.cff: the version is {version}'
    index = yaml.safe_load(read('model-index.yml'))['Import']
    for model in (m for path in index for m in yaml.safe_load(read(path))['Models']):
        config, told = Config.fromfile(ROOT / model['Config']), model['Metadata']
        scale = config.get('auto_scale_lr', {})
        for key, value in {
            'Batch Size': scale.get('base_batch_size', told['Batch Size']),
            'Epochs': config.train_cfg.get('max_epochs'),
            'Iterations': config.train_cfg.get('max_iters'),
        }.items():
            if told.get(key) != value:
                yield f'metafile of {model["Name"]}: {key} is {value}'


def lint() -> list[str]:
    """All problems of all pages, each with its page in front."""
    return [
        f'{page}: {problem}'
        for page in pages()
        for check in (check_links, check_files, check_commands)
        for problem in check(page)
    ]


def main() -> None:
    """Print what is wrong."""
    problems = lint() + list(check_metafiles())
    print(*problems, f'{len(pages())} pages, {len(problems)} problems', sep='\n')
    sys.exit(bool(problems))


if __name__ == '__main__':
    main()
