"""What is installed, and the environment that development happens in."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from test_light_import import BLOCK, HOSTS

FILES = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md')
FOLDERS = ('dugi_mae', 'configs', 'tools', 'weights', 'requirements', 'tests')
CORE = {
    *('torch', 'numpy', 'safetensors'),
    *('opencv-python-headless', 'pillow', 'tifffile'),
}


def run(*command: str | Path, cwd: Path | None = None, **environ: str) -> str:
    """The standard output of a command that must succeed."""
    # Without what an outer make sets, as from a user's shell.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(('MAKE', 'MFLAGS'))}
    kept |= {'PYTHONWARNINGS': 'ignore', **environ}
    parts = [str(part) for part in command]
    done = subprocess.run(parts, cwd=cwd, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_checkout(source: Path, target: Path) -> Path:
    """A copy of this project that a build may write into."""
    ignore = shutil.ignore_patterns('__pycache__', '.mim', '*.egg-info')
    for name in FOLDERS:
        shutil.copytree(source / name, target / name, ignore=ignore)
    for name in (*FILES, 'model-index.yml'):
        shutil.copy(source / name, target)
    return target


def build(checkout: Path, what: str) -> Path:
    """Build through the hooks that pip calls, and return the archive."""
    (checkout / 'dist').mkdir(exist_ok=True)
    code = f'import setuptools.build_meta as b; print(b.{what}("dist"))'
    name = run(sys.executable, '-c', code, cwd=checkout).splitlines()[-1]
    return checkout / 'dist' / name


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    """A wheel that is built from the source archive."""
    checkout = copy_checkout(repo_root, tmp_path_factory.mktemp('checkout'))
    shutil.unpack_archive(build(checkout, 'build_sdist'), checkout / 'unpacked')
    [source] = (checkout / 'unpacked').iterdir()
    return build(source, 'build_wheel')


def test_wheel_ships_the_package_and_mim(wheel: Path, repo_root: Path) -> None:
    """A wheel holds dugi_mae with what mim looks for, no tests, no tools/dev."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split('/')[0] for name in names}
    assert {top for top in tops if '.dist-info' not in top} == {'dugi_mae'}
    assert 'dugi_mae/py.typed' in names
    assert not any('__pycache__' in name or '/tools/dev/' in name for name in names)

    def files(*patterns: str) -> set[str]:
        found = (p for pattern in patterns for p in repo_root.glob(pattern))
        return {path.relative_to(repo_root).as_posix() for path in found}

    assert files('dugi_mae/**/*.py') <= names, 'a package folder without __init__.py?'
    shipped = files('configs/**/*.py', 'configs/*/metafile.yml', 'weights/*')
    shipped |= files('tools/*.py', 'tools/demo/*.py', 'model-index.yml')
    assert {f'dugi_mae/.mim/{name}' for name in shipped} <= names


def test_editable_install_links_mim(tmp_path: Path, repo_root: Path) -> None:
    """An editable build makes .mim links to the live files: PEP 660, trap 6."""
    checkout = copy_checkout(repo_root, tmp_path)
    build(checkout, 'build_editable')
    for name in ('configs', 'tools', 'weights', 'model-index.yml'):
        link = checkout / 'dugi_mae' / '.mim' / name
        assert link.is_symlink()
        assert link.resolve() == checkout / name


def requirements(path: Path) -> list[Requirement]:
    """What a requirements file and those it includes ask for on this platform."""
    lines = [line.split('#')[0].strip() for line in path.read_text().splitlines()]
    included = [line[3:] for line in lines if line.startswith('-r ')]
    wanted = [Requirement(line) for line in lines if line and line[:3] != '-r ']
    wanted = [w for w in wanted if w.marker is None or w.marker.evaluate()]
    return sum((requirements(path.with_name(name)) for name in included), wanted)


def test_wheel_works_with_the_core_alone(wheel: Path, tmp_path: Path) -> None:
    """Without what it does not require, `make demo-core` works."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    metadata = next(tmp_path.glob('dugi_mae-*.dist-info')) / 'METADATA'
    wanted = re.findall(r'^Requires-Dist: ([\w-]+)[^;\n]*$', metadata.read_text(), re.M)
    assert set(wanted) == CORE
    others = ('matplotlib', 'scipy', 'skimage', 'tqdm', 'torchvision', 'yaml', 'rich')
    demo = tmp_path / 'dugi_mae/.mim/tools/demo/demo_core.py'
    code = f"""
import runpy
sys.argv = ['demo_core.py', '--num', '1', '--out', '.']
sys.path.insert(0, '.')
import dugi_mae
print(dugi_mae.__file__)
runpy.run_path({str(demo)!r}, run_name='__main__')
"""
    code = BLOCK.format(names=(*HOSTS, *others)) + code
    output = run(sys.executable, '-I', '-c', code, cwd=tmp_path)
    assert output.startswith(str(tmp_path))
    assert re.findall(r'stride +(\d+): \(1, (\d+), (\d+)', output) == [
        *[('4', '64', '56'), ('8', '128', '28')],
        *[('16', '192', '14'), ('32', '192', '7')],
    ]
    assert (tmp_path / 'core.png').is_file()


@pytest.mark.parametrize('name', ['build', 'runtime', 'tools', 'onedl', 'dev'])
def test_lock_satisfies_what_is_asked_for(repo_root: Path, name: str) -> None:
    """The shared environment has everything, at versions that we say we support."""
    folder = repo_root / 'requirements'
    lock = {pin.name: pin for pin in requirements(folder / 'lock.txt')}
    for wanted in requirements(folder / f'{name}.txt'):
        [pin] = lock[wanted.name].specifier
        assert pin.operator == '=='
        assert wanted.specifier.contains(pin.version)


@pytest.fixture
def checkout(repo_root: Path, tmp_path: Path) -> Path:
    """What make_env.py needs of a checkout, with a package that has one value."""
    target = tmp_path / 'checkout'
    for name in ('tools/dev', 'requirements'):
        shutil.copytree(repo_root / name, target / name)
    for name in ('setup.py', 'pyproject.toml', 'README.md'):
        shutil.copy(repo_root / name, target)
    (target / 'dugi_mae').mkdir()
    (target / 'dugi_mae' / '__init__.py').write_text('VALUE = "copy"\n')
    shutil.copy(repo_root / 'dugi_mae' / 'version.py', target / 'dugi_mae')
    return target


def load_make_env(checkout: Path) -> ModuleType:
    """The script of a checkout as a module."""
    path = checkout / 'tools' / 'dev' / 'make_env.py'
    spec = importlib.util.spec_from_file_location('make_env', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_interrupted_base_continues(checkout: Path, monkeypatch) -> None:
    """A base that broke off is not taken as complete, and is continued in place."""
    make_env = load_make_env(checkout)

    def make(interpreter: str | Path, *arguments: str | Path) -> None:
        venv.create(arguments[-1], symlinks=True, clear=True)
        [packages] = Path(arguments[-1]).glob('lib/python*/site-packages')
        (packages / 'pip.py').touch()
        (packages / 'mmcv').mkdir()
        (packages / 'mmcv' / '_ext.py').touch()

    def fail(env: Path, *arguments: str) -> None:
        if make_env.pin('torch') in arguments:
            raise OSError('no network')

    monkeypatch.setattr(make_env, 'python', make)
    monkeypatch.setattr(make_env, 'FINDS', 'import json')
    base = checkout.parent / 'base'
    with monkeypatch.context() as patch, pytest.raises(OSError, match='no network'):
        patch.setattr(make_env, 'install', fail)
        make_env.make_base(base)
    assert not (base / '.complete').exists()
    (base / 'installed before').touch()
    with monkeypatch.context() as patch:
        patch.setattr(make_env, 'install', lambda env, *arguments: None)
        make_env.make_base(base)
    assert (base / '.complete').exists()
    assert (base / 'installed before').exists()

    # Complete: nothing is installed any more, unless its Python has gone.
    monkeypatch.setattr(make_env, 'install', fail)
    make_env.make_base(base)
    (base / 'bin' / 'python').unlink()
    (base / 'bin' / 'python').symlink_to('/nowhere/python')
    with pytest.raises(OSError, match='no network'):
        make_env.make_base(base)
    assert make_env.works(base, 'import pip')
    assert not (base / 'installed before').exists()


def test_base_follows_the_lock(checkout: Path, monkeypatch) -> None:
    """Another pin means another base; a comment does not, nor a forgotten variable."""
    monkeypatch.setenv('DUGI_ENV_ROOT', str(checkout.parent / 'envs'))
    lock = checkout / 'requirements' / 'lock.txt'
    before = load_make_env(checkout).base_folder()
    lock.write_text('# A remark.\n' + lock.read_text())
    assert load_make_env(checkout).base_folder() == before

    (checkout / '.venv').mkdir()
    (checkout / '.venv' / 'base.txt').write_text(str(before))
    monkeypatch.delenv('DUGI_ENV_ROOT')
    assert load_make_env(checkout).base_folder() == before

    lock.write_text(lock.read_text() + 'one-more==1.0\n')
    assert load_make_env(checkout).base_folder().name != before.name


@pytest.fixture
def own_base() -> Path:
    """The base of the environment that the tests run in."""
    record = Path(sys.prefix) / 'base.txt'
    if not record.is_file():
        pytest.skip('not in the environment that make env makes')
    return Path(record.read_text())


def test_checkouts_are_apart(checkout: Path, own_base: Path) -> None:
    """Each checkout has its own code and its own pip, on the one base.

    What is ready is left alone; what is broken is made anew.
    """
    script = checkout / 'tools' / 'dev' / 'make_env.py'
    environ = dict(DUGI_ENV_ROOT=str(own_base.parent))
    (checkout / '.venv' / 'bin').mkdir(parents=True)
    (checkout / '.venv' / 'bin' / 'python').symlink_to('/nowhere/python')
    (checkout / '.venv' / 'base.txt').write_text(str(own_base))
    python = run(sys.executable, script, **environ)
    assert python == f'{checkout}/.venv/bin/python\n'
    made = (checkout / '.venv' / 'base.txt').stat().st_mtime_ns
    assert run(sys.executable, script, **environ) == python
    assert (checkout / '.venv' / 'base.txt').stat().st_mtime_ns == made

    code = 'import dugi_mae, mmengine, pip as p; print(dugi_mae.VALUE, mmengine, p)'
    printed = run(python.strip(), '-I', '-c', code)
    assert printed.startswith('copy ')
    assert str(own_base) in printed and f'{checkout}/.venv' in printed


def test_which_python_prints_only_the_path(own_base: Path, repo_root: Path) -> None:
    """Scripts may use the output of ``make -s which-python`` as it is."""
    output = run('make', '-s', 'which-python', cwd=repo_root)
    assert output == f'{repo_root}/.venv/bin/python\n'
