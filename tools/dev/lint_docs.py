"""Check that the documentation speaks of files, commands and names that exist.

    python tools/dev/lint_docs.py

Reads all Markdown of the repository, prints one line for each problem and exits with 1
if there are any. Needs the environment with the OpenMMLab packages.
"""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import yaml
from mmengine.config import Config
from mmengine.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ('*.md', 'docs/**/*.md', 'configs/**/*.md', 'weights/*.md', 'examples/*.md')
FENCE = re.compile(r'^ *```([^\n]*)\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'\]\(([^)\s]+)\)')
#: Longest line outside of code, tables and links.
WIDTH = 110
#: Pages whose commands, links and figures are those of another one.
TRANSLATIONS = {'README_zh-CN.md': 'README.md'}
#: What is imported so that a name of a config is found.
HOSTS = ('mmpretrain', 'mmdet', 'mmseg')
Problems = Iterator[str]


@cache
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


def commands(page: str) -> list[list[str]]:
    """The shell commands of a page as words, continued lines joined."""
    lines = '\n'.join(blocks(page, 'bash')).replace('\\\n', ' ').splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [command for command in words if command]


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
    folders = 'tools|configs|tests|requirements|examples|docs'
    named = rf'(?<![\w/.-])(?:{folders})/[\w./-]+\.(?:py|sh|txt|md)\b'
    for path in sorted(set(re.findall(named, read(page)))):
        if not (ROOT / path).is_file():
            yield f'{path} does not exist'


@cache
def flags_of(tool: str) -> str:
    """Source of a tool and of what defines flags for it."""
    text = read(tool)
    shared = dict(cli='dugi_mae/cli.py', benchmark='tools/analysis_tools/benchmark.py')
    return text + ''.join(read(v) for k, v in shared.items() if f'{k} import' in text)


def host_tool_source(command: list[str]) -> str:
    """The code of the host's tool that a `host_tool.py` command runs, if any."""
    tool = runpy.run_path(str(ROOT / 'tools/host_tool.py'))
    words = command[command.index('tools/host_tool.py') + 1 :]
    host = words[1] if words[0] == '--host' else None
    name, *arguments = words[2:] if host else words
    if name.startswith('--'):
        return ''
    return tool['find_tool'](name, host or tool['host_of'](arguments)).read_text()


def check_flags(page: str) -> Problems:
    """A flag after one of our scripts is one that it knows."""
    for command in commands(page):
        ours = (word for word in command if re.match(r'(tools|examples)/.*\.', word))
        tool = next(ours, '')
        name = re.sub(r'(dist|slurm)_(\w+)\.sh', r'\2.py', tool)
        if not (ROOT / name).is_file() or not name:
            continue
        known = flags_of(name)
        if name == 'tools/host_tool.py':
            known += host_tool_source(command)
        for flag in (word for word in command if word.startswith('--')):
            if not re.search(rf"['\"]{flag}['\"]", known):
                yield f'{name} has no flag {flag}'


def check_settings(page: str) -> Problems:
    """What a command sets with --cfg-options, its config has room for.

    Each key but the last must exist, so that a misspelt path is not a new branch.
    """
    for command in commands(page):
        config_path = next((w for w in command if w.startswith('configs/')), '')
        if '--cfg-options' not in command or not (ROOT / config_path).is_file():
            continue
        config = load(config_path)
        for pair in command[command.index('--cfg-options') + 1 :]:
            *parents, last = pair.partition('=')[0].split('.')
            node = config
            try:
                for key in parents:
                    node = node[int(key)] if key.isdigit() else node[key]
                missing = last in ('data_root', 'checkpoint', 'type', 'arch')
                missing = missing and last not in node
            except (KeyError, IndexError, TypeError, AttributeError):
                missing = True
            if missing or not isinstance(node, dict | Config):
                yield f'{config_path} has no setting {pair.partition("=")[0]}'


def check_make(page: str) -> Problems:
    """Every target after `make` is one of our Makefile."""
    known = re.findall(r'^([\w-]+):', read('Makefile'), re.MULTILINE)
    told = [c[1:] for c in commands(page) if c[0] == 'make']
    told += [c.split() for c in re.findall(r'`make ([^`]+)`', read(page))]
    for words in told:
        targets = [w for w in words if '=' not in w and not w.startswith('-')]
        for target in sorted(set(targets) - set(known)):
            yield f'make has no target {target}'


def check_python(page: str) -> Problems:
    """A block marked as Python parses, and what it imports of ours is there."""
    for body in blocks(page, 'python'):
        try:
            tree = ast.parse(body)
        except SyntaxError as error:
            yield f'Python block does not parse: {error}'
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f'{node.module}.{alias.name}' for alias in node.names]
            elif isinstance(node, ast.Attribute):
                name = ast.unparse(node)
                names = [name] if re.fullmatch(r'[\w.]+', name) else []
            else:
                continue
            for name in names:
                if name.startswith('dugi_mae') and not exists(name):
                    yield f'{name} does not exist'


@cache
def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split('.')
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def check_names(page: str) -> Problems:
    """Dotted names of ours in the text, and the types in blocks, exist."""
    text = FENCE.sub('', read(page))
    for name in sorted(set(re.findall(r'`(dugi_mae(?:\.\w+)+)', text))):
        if not exists(name):
            yield f'{name} does not exist'
    types = re.findall(r"(?<!\w)type='([\w.]+)'", read(page))
    for name in sorted({t.rpartition('.')[2] for t in types} - registered()):
        if name not in read(page).partition(f'class {name}')[1]:
            yield f'type {name} is registered nowhere'


@cache
def registered() -> set[str]:
    """All names in the registries of mmengine, of the hosts and of ours."""
    for host in HOSTS:
        importlib.import_module(f'dugi_mae.{host}')
        importlib.import_module(f'{host}.utils').register_all_modules(False)
    found = set()
    for module in ('mmengine', *HOSTS):
        for item in vars(importlib.import_module(f'{module}.registry')).values():
            found |= set(item.module_dict) if isinstance(item, Registry) else set()
    return found | {'fixed', 'percentile', 'minmax', 'clahe'}  # normalizers


def check_checkpoints(page: str) -> Problems:
    """The last checkpoints that pages name are the last ones of a config."""
    for kind, number in re.findall(r'\b(epoch|iter)_(\d+)\.pth', read(page)):
        if (kind, int(number)) not in last_checkpoints():
            yield f'{kind}_{number}.pth is the last checkpoint of no config'


@cache
def load(config: str) -> Config:
    """A config by its path in the repository."""
    return Config.fromfile(ROOT / config)


@cache
def last_checkpoints() -> set[tuple[str, int]]:
    """Kind and number of the last checkpoint of each config."""
    paths = (p.relative_to(ROOT) for p in ROOT.glob('configs/[a-z]*/*.py'))
    loops = [load(path.as_posix()).train_cfg for path in paths]
    return {('epoch', loop.get('max_epochs')) for loop in loops} | {
        ('iter', loop.get('max_iters')) for loop in loops
    }


def check_width(page: str) -> Problems:
    """Lines of text fit a window; code, tables and lines of one link may be longer."""
    text = FENCE.sub(lambda match: '\n' * match[0].count('\n'), read(page))
    for number, line in enumerate(text.splitlines(), 1):
        if len(LINK.sub('', line)) > WIDTH and not line.startswith('|'):
            yield f'line {number} has {len(line)} characters, more than {WIDTH}'


def check_translation(page: str) -> Problems:
    """A translated page has only commands and code of its original.

    The READMEs also have the same links and the same figures in their tables.
    """
    original = TRANSLATIONS.get(page, page.replace('docs/zh_CN/', 'docs/'))
    if original == page:
        return
    for language in ('bash', 'python', 'diff'):
        known = ''.join(blocks(original, language))
        for block in blocks(page, language):
            if block not in known:
                yield f'code that {original} lacks: {block.splitlines()[0]}'
    if page in TRANSLATIONS:
        figures = [re.findall(r'\d[\d.,]*\d', tables(p)) for p in (original, page)]
        texts = (read(original), read(page).replace('docs/zh_CN/', 'docs/'))
        links = [set(LINK.findall(text)) for text in texts]
        for one, two in (figures, [found - {original, page} for found in links]):
            if one != two:
                yield f'other than in {original}: {sorted(set(one) ^ set(two))}'


def tables(page: str) -> str:
    """The table rows of a page."""
    return '\n'.join(re.findall(r'^\|.*', read(page), re.MULTILINE))


def check_api(page: str) -> Problems:
    """The API page has every name that a package exports."""
    if page != 'docs/api.md':
        return
    text = read(page)
    complete = re.findall(r'automodule:: ([\w.]+)\n +:members:\n +:imported', text)
    for path in sorted((ROOT / 'dugi_mae').rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        module = '.'.join(parts).removesuffix('.__init__')
        # Parts of models are shown where dugi_mae.models exports them.
        if {'.mim', 'models'} & {*parts} or module in complete:
            continue
        for name in exported(path):
            if name[0].isupper() and not re.search(rf'\b{name}\b', text):
                yield f'{module}.{name} is missing'


def exported(path: Path) -> list[str]:
    """The names in a module's ``__all__``, without importing it."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__':
            return ast.literal_eval(node.value)
    return []


def check_folder(page: str) -> Problems:
    """A README of configs links to each config of its folder."""
    folder = (ROOT / page).parent
    if folder.parent == ROOT / 'configs':
        for config in sorted(folder.glob('*.py')):
            if f'({config.name})' not in read(page):
                yield f'no link to {config.name}'


def check_metafiles() -> Problems:
    """The model index agrees with its configs, the citation with the version."""
    version = re.search(r"__version__ = '(.+)'", read('dugi_mae/version.py'))[1]
    if str(yaml.safe_load(read('CITATION.cff'))['version']) != version:
        yield f'CITATION.cff: the version is {version}'
    index = yaml.safe_load(read('model-index.yml'))['Import']
    entries = [yaml.safe_load(read(path)) for path in index]
    names = [c['Name'] for entry in entries for c in entry.get('Collections', [])]
    for model in (model for entry in entries for model in entry['Models']):
        config, told = load(model['Config']), model['Metadata']
        expected = {
            'In Collection': model['In Collection'] in names,
            'Batch Size': told['Batch Size'] == config.auto_scale_lr.base_batch_size,
            'Epochs': told.get('Epochs') == config.train_cfg.get('max_epochs'),
            'Iterations': told.get('Iterations') == config.train_cfg.get('max_iters'),
        }
        for key in (key for key, right in expected.items() if not right):
            yield f'metafile of {model["Name"]}: wrong {key}'


CHECKS: tuple[Callable[[str], Problems], ...] = (
    check_links,
    check_files,
    check_flags,
    check_settings,
    check_make,
    check_python,
    check_names,
    check_checkpoints,
    check_width,
    check_translation,
    check_api,
    check_folder,
)


def lint(checks: tuple[Callable[[str], Problems], ...] = CHECKS) -> list[str]:
    """All problems of all pages, each with its page in front."""
    return [
        f'{page}: {problem}'
        for page in pages()
        for check in checks
        for problem in check(page)
    ]


def main() -> None:
    """Print what is wrong."""
    problems = lint() + list(check_metafiles())
    print(*problems, f'{len(pages())} pages, {len(problems)} problems', sep='\n')
    sys.exit(bool(problems))


if __name__ == '__main__':
    main()
