"""The documentation speaks of files, commands, flags and names that exist."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ('*.md', 'docs/*.md', 'configs/**/*.md')
    for path in ROOT.glob(pattern)
)
CONFIG_FOLDERS = sorted(
    path
    for path in (ROOT / 'configs').iterdir()
    if path.is_dir() and not path.name.startswith('_')
)
FENCE = re.compile(r'^ *```(\w*)[^\n]*\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'\]\(([^)\s]+)\)')
PRETRAIN = 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'
DETECT = 'configs/detection/faster-rcnn_dugi-mae-tiny_fpn_hit-uav.py'
FINETUNE = (
    'configs/segmentation/upernet_dugi-mae-tiny_sirst.py',
    'configs/small_target/irstd_dugi-mae-tiny_sirst.py',
)


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding='utf-8')


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
    text = FENCE.sub('', read(page))
    titles = re.findall(r'^#+ +(.+)$', text, re.MULTILINE)
    kept = (re.sub(r'[^\w\- ]', '', title.lower()) for title in titles)
    return {title.strip().replace(' ', '-') for title in kept}


def exported(path: Path) -> list[str]:
    """The names in a module's ``__all__``, without importing it."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__':
            return ast.literal_eval(node.value)
    return []


def metafiles() -> list[Path]:
    """The metafiles that the model index imports."""
    return [ROOT / path for path in yaml.safe_load(read('model-index.yml'))['Import']]


def test_there_are_pages():
    """The parametrised tests below are not empty."""
    assert {'README.md', 'README_zh-CN.md', 'docs/method.md'} <= set(PAGES)
    assert sum(len(commands(page)) for page in PAGES) > 20


@pytest.mark.parametrize('page', PAGES)
def test_relative_links_resolve(page):
    """A link to a file finds it in the checkout, one with an anchor its heading."""
    for link in LINK.findall(FENCE.sub('', read(page))):
        if re.match(r'[a-z]+:', link):
            continue
        path, _, anchor = link.partition('#')
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        if anchor:
            assert anchor in slugs(target.resolve().relative_to(ROOT).as_posix()), link


@pytest.mark.parametrize('page', PAGES)
def test_named_files_exist(page):
    """Every tool, config and test that a page names by its path is there."""
    named = re.findall(
        r'(?<![\w/.-])(?:tools|configs|tests|requirements)/[\w./-]+\.(?:py|sh|txt)\b',
        read(page),
    )
    assert [path for path in named if not (ROOT / path).is_file()] == []


def host_tool_source(command: list[str]) -> str:
    """The code of the host's tool that a `host_tool.py` command runs, if any."""
    tool = runpy.run_path(str(ROOT / 'tools/host_tool.py'))
    words = command[command.index('tools/host_tool.py') + 1 :]
    host = words[1] if words[0] == '--host' else None
    name, *arguments = words[2:] if host else words
    if name.startswith('--'):
        return ''
    return tool['find_tool'](name, host or tool['host_of'](arguments)).read_text()


@pytest.mark.parametrize('page', PAGES)
def test_flags_exist(page):
    """A flag after one of our tools is one that this tool knows."""
    shared = {name: read(f'dugi_mae/utils/{name}.py') for name in ('cli', 'benchmark')}
    for command in commands(page):
        tool = next((word for word in command if word.startswith('tools/')), None)
        if tool is None:
            continue
        name = re.sub(r'(dist|slurm)_(\w+)\.sh', r'\2.py', tool)
        known = read(name)
        if 'add_common_arguments' in known:
            known += ''.join(
                v for k, v in shared.items() if f'utils.{k} import' in known
            )
        if name == 'tools/host_tool.py':
            known += host_tool_source(command) + "'--help'"
        flags = [word for word in command if word.startswith('--')]
        assert [flag for flag in flags if f"'{flag}'" not in known] == [], command


@pytest.mark.parametrize('page', PAGES)
def test_overridden_settings_fit_the_config(page):
    """What a command sets with --cfg-options, its config has room for.

    Each key but the last must exist, so that a misspelt path is not a new branch.
    """
    for command in commands(page):
        if '--cfg-options' not in command:
            continue
        config = Config.fromfile(next(w for w in command if w.startswith('configs/')))
        pairs = command[command.index('--cfg-options') + 1 :]
        assert pairs
        for pair in pairs:
            *parents, last = pair.partition('=')[0].split('.')
            node = config
            for key in parents:
                node = node[int(key)] if key.isdigit() else node[key]
            assert isinstance(node, (dict, Config)), pair
            assert last not in ('data_root', 'checkpoint', 'type') or last in node, pair


@pytest.mark.parametrize('page', PAGES)
def test_make_targets_exist(page):
    """Every target after `make` is one of our Makefile (or that of docs/)."""
    known = {
        folder: re.findall(r'^([\w-]+):', read(f'{folder}Makefile'), re.MULTILINE)
        for folder in ('', 'docs/')
    }
    for command in commands(page):
        if command[0] != 'make':
            continue
        in_docs = '-C' in command
        words = [w for w in command[1:] if w not in ('-C', 'docs', '-s')]
        targets = [word for word in words if '=' not in word]
        assert set(targets) <= set(known['docs/' if in_docs else '']), command


@pytest.mark.parametrize('page', PAGES)
def test_python_blocks_are_python(page):
    """A block marked as Python parses."""
    for body in blocks(page, 'python'):
        ast.parse(body)


@pytest.mark.parametrize('page', PAGES)
def test_checkpoints_are_those_a_run_writes(page):
    """The last checkpoints that pages name are the last ones of the tiny configs."""
    epochs = {
        Config.fromfile(ROOT / name).train_cfg.max_epochs for name in (PRETRAIN, DETECT)
    }
    iters = {Config.fromfile(ROOT / name).train_cfg.max_iters for name in FINETUNE}
    for kind, number in re.findall(r'\b(epoch|iter)_(\d+)\.pth', read(page)):
        assert int(number) in (epochs if kind == 'epoch' else iters)


def test_both_readmes_give_the_same_commands():
    """The Chinese README has the code blocks, links and numbers of the English one."""
    english, chinese = 'README.md', 'README_zh-CN.md'
    for language in ('bash', 'diff', 'bibtex'):
        assert blocks(english, language) == blocks(chinese, language)
    links = [
        sorted(set(LINK.findall(read(page))) - {english, chinese})
        for page in (english, chinese)
    ]
    assert links[0] == links[1]
    rows = [
        re.findall(r'\d[\d.,]*\d', ''.join(re.findall(r'^\|.*$', read(page), re.M)))
        for page in (english, chinese)
    ]
    assert rows[0] == rows[1]


def test_api_page_names_everything_public():
    """Every name that a package exports stands in docs/api.md."""
    page = read('docs/api.md')
    missing = [
        f'{path.parent.relative_to(ROOT)}: {name}'
        for path in sorted((ROOT / 'dugi_mae').rglob('__init__.py'))
        if '.mim' not in path.parts
        for name in exported(path)
        if not re.search(rf'`(?:[\w.]+\.)?{name}\b', page)
    ]
    assert missing == []


@pytest.mark.parametrize('folder', CONFIG_FOLDERS, ids=lambda path: path.name)
def test_config_folder_has_a_readme(folder):
    """A folder of configs has a README that links to each of them."""
    text = (folder / 'README.md').read_text(encoding='utf-8')
    for config in folder.glob('*.py'):
        assert f'({config.name})' in text


def test_model_index_describes_the_configs():
    """The index and its metafiles parse and agree with the configs they name.

    Every pre-training and fine-tuning config has one entry: a lower-case name, equal to
    the config's, in a collection that exists; epochs, iterations and batch size are the
    config's own.
    """
    entries = [yaml.safe_load(path.read_text(encoding='utf-8')) for path in metafiles()]
    collections = [c for entry in entries for c in entry.get('Collections', [])]
    assert all((ROOT / c['README']).is_file() for c in collections)
    models = [model for entry in entries for model in entry['Models']]
    configs = sorted(model['Config'] for model in models)
    assert configs == sorted(
        path.relative_to(ROOT).as_posix()
        for folder in CONFIG_FOLDERS
        if folder.name != 'demo'
        for path in folder.glob('*.py')
    )
    for model in models:
        assert model['Name'] == Path(model['Config']).stem == model['Name'].lower()
        assert model['In Collection'] in [c['Name'] for c in collections]
        config, told = Config.fromfile(ROOT / model['Config']), model['Metadata']
        assert told['Batch Size'] == config.auto_scale_lr.base_batch_size
        assert told.get('Epochs') == config.train_cfg.get('max_epochs')
        assert told.get('Iterations') == config.train_cfg.get('max_iters')


def test_citation_has_the_package_version():
    """CITATION.cff parses and names the present version."""
    citation = yaml.safe_load(read('CITATION.cff'))
    version = re.search(r"__version__ = '(.+)'", read('dugi_mae/version.py')).group(1)
    assert str(citation['version']) == version
    assert citation['license'] == 'Apache-2.0'


def test_every_promise_has_its_test():
    """Each test that a promise names exists, in the file last named."""
    files = {
        path.name: path.read_text(encoding='utf-8')
        for path in (ROOT / 'tests').rglob('test_*.py')
    }
    current, found = '', 0
    for path, name in re.findall(
        r'`([\w/]*\.py)?(?:::(\w+))?`', read('docs/promises.md')
    ):
        current = Path(path).name if path else current
        if path.startswith('tests/') or name:
            assert current in files, path
            found += 1
        if name:
            assert f'def {name}(' in files[current], f'{current}::{name}'
    assert found > 50
