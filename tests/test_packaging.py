"""What is installed, and the environment that development happens in."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

SOURCES = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md')
FOLDERS = ('dugi_mae', 'configs', 'tools', 'weights', 'requirements', 'tests')


@pytest.fixture
def checkout(tmp_path: Path, repo_root: Path) -> Path:
    """A copy of this project that a build may write into."""
    target = tmp_path / 'checkout'
    target.mkdir()
    for name in SOURCES:
        if (repo_root / name).is_file():
            shutil.copy(repo_root / name, target)
    ignore = shutil.ignore_patterns('__pycache__', '.mim', '*.egg-info')
    for name in FOLDERS:
        shutil.copytree(repo_root / name, target / name, ignore=ignore)
    (target / 'model-index.yml').write_text('Import: []\n')
    return target


def build(checkout: Path, what: str) -> list[str]:
    """Build through the hooks that pip calls, and return the names in the wheel."""
    code = (
        'import setuptools.build_meta as b\n'
        f'print("BUILT", b.{what}("dist"), sep="\\n")'
    )
    output = subprocess.check_output(
        [sys.executable, '-W', 'ignore', '-c', code],
        cwd=checkout,
        stderr=subprocess.STDOUT,
        text=True,
    )
    path = checkout / 'dist' / output.rsplit('BUILT', 1)[1].split()[0]
    if path.suffix != '.whl':
        shutil.unpack_archive(path, checkout / 'unpacked')
        return []
    return zipfile.ZipFile(path).namelist()


def test_wheel_ships_the_package_and_mim(checkout: Path) -> None:
    """A wheel made from the source archive holds dugi_mae with its .mim, no tests."""
    (checkout / 'dist').mkdir()
    build(checkout, 'build_sdist')
    [source] = (checkout / 'unpacked').iterdir()
    (source / 'dist').mkdir()
    names = build(source, 'build_wheel')

    tops = {name.split('/')[0] for name in names}
    assert {top for top in tops if '.dist-info' not in top} == {'dugi_mae'}
    assert 'dugi_mae/py.typed' in names
    assert 'dugi_mae/.mim/model-index.yml' in names
    assert 'dugi_mae/.mim/tools/check_env.py' in names
    assert any(name.startswith('dugi_mae/.mim/configs/') for name in names)
    assert not any('__pycache__' in name for name in names)
    modules = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / 'dugi_mae').rglob('*.py')
    }
    assert modules <= set(names), 'a package folder without __init__.py?'


def test_editable_install_links_mim(checkout: Path) -> None:
    """An editable build makes .mim links to the live files: PEP 660, trap 6."""
    (checkout / 'dist').mkdir()
    build(checkout, 'build_editable')
    mim = checkout / 'dugi_mae' / '.mim'
    for name in ('configs', 'tools', 'weights', 'model-index.yml'):
        assert (mim / name).is_symlink()
        assert (mim / name).resolve() == checkout / name


def test_version_needs_no_import(repo_root: Path) -> None:
    """setup.py tells name and version where torch cannot be imported."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', 'setup.py', '--name', '--version'],
        cwd=repo_root,
        env={**os.environ, 'PYTHONPATH': ''},
        capture_output=True,
        text=True,
        check=True,
    )
    text = (repo_root / 'dugi_mae' / 'version.py').read_text()
    name, version = done.stdout.split()[-2:]
    assert name == 'dugi-mae'
    assert f"__version__ = '{version}'" in text
    assert 'import dugi_mae' not in (repo_root / 'setup.py').read_text()


def requirements(path: Path) -> list[Requirement]:
    """What a requirements file asks for here, comments and other platforms left out."""
    lines = (line.split('#')[0].strip() for line in path.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return [w for w in wanted if w.marker is None or w.marker.evaluate()]


def test_no_mm_family_is_required(repo_root: Path) -> None:
    """Installing dugi_mae never pulls an mm package over the one that is there."""
    names = {r.name for r in requirements(repo_root / 'requirements' / 'runtime.txt')}
    assert not [name for name in names if name.startswith(('mm', 'onedl', 'openmim'))]


@pytest.mark.parametrize('name', ['build', 'runtime', 'onedl', 'dev'])
def test_lock_satisfies_what_is_asked_for(repo_root: Path, name: str) -> None:
    """The shared environment has everything, at versions that we say we support."""
    folder = repo_root / 'requirements'
    lock = {pin.name: pin for pin in requirements(folder / 'lock.txt')}
    for wanted in requirements(folder / f'{name}.txt'):
        [pin] = lock[wanted.name].specifier
        assert pin.operator == '=='
        assert wanted.specifier.contains(pin.version)


@pytest.fixture
def make_env(
    repo_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    """tools/dev/make_env.py as a module, with its bases below ``tmp_path``."""
    folder = repo_root / 'tools' / 'dev'
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv('DUGI_ENV_ROOT', str(tmp_path / 'envs'))
    spec = importlib.util.spec_from_file_location('make_env', folder / 'make_env.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def base(make_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base whose steps only record that they ran, in the file ``ran``."""

    def make_venv(base: Path) -> None:
        (base / 'bin').mkdir(parents=True, exist_ok=True)
        (base / 'bin' / 'python').symlink_to(sys.executable)
        note(base, 'venv')

    def note(base: Path, name: str) -> None:
        with open(base / 'ran', 'a') as file:
            print(name, file=file)

    steps = (('venv', make_venv), ('torch', lambda base: note(base, 'torch')))
    monkeypatch.setattr(make_env, 'STEPS', steps)
    monkeypatch.setattr(make_env, 'BASE_MODULES', ('json',))
    make_env.env_root().mkdir()
    return make_env.base_folder()


def test_interrupted_base_continues(make_env: ModuleType, base: Path) -> None:
    """A base that broke off is not taken as whole, and finished steps are kept."""

    def fail(base: Path) -> None:
        raise make_env.EnvError('no network')

    whole = make_env.STEPS
    make_env.STEPS = (whole[0], ('torch', fail))
    with pytest.raises(make_env.EnvError):
        make_env.build_base(base)
    assert not (base / '.complete').exists()

    make_env.STEPS = whole
    make_env.build_base(base)
    assert (base / '.complete').exists()
    assert (base / 'ran').read_text().split() == ['venv', 'torch']


def test_whole_base_is_left_alone(make_env: ModuleType, base: Path) -> None:
    """A second build does no step again."""
    make_env.build_base(base)
    make_env.build_base(base)
    assert (base / 'ran').read_text().split() == ['venv', 'torch']


def test_base_without_interpreter_is_rebuilt(make_env: ModuleType, base: Path) -> None:
    """A cached base whose Python has gone is made anew from the first step on."""
    make_env.build_base(base)
    (base / 'bin' / 'python').unlink()
    (base / 'bin' / 'python').symlink_to('/nowhere/python')
    make_env.build_base(base)
    assert (base / 'ran').read_text().split() == ['venv', 'torch']
    assert make_env.runs(base / 'bin' / 'python', '-c', '')


def test_base_follows_the_requirements(
    make_env: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another pin means another base; a comment, or another checkout, the same one."""
    before = make_env.base_folder()
    copy = tmp_path / 'lock.txt'
    copy.write_text('# A remark.\n' + make_env.LOCK.read_text())
    monkeypatch.setattr(make_env, 'LOCK', copy)
    assert make_env.base_folder() == before
    copy.write_text(copy.read_text() + 'one-more==1.0\n')
    assert make_env.base_folder() != before


def test_which_python_prints_only_the_path(repo_root: Path) -> None:
    """Scripts may use the output of ``make -s which-python`` as it is."""
    if Path(sys.prefix).resolve() != (repo_root / '.venv').resolve():
        pytest.skip('not in the environment that make env makes')
    # Without what an outer make hands down, as from a user's shell.
    environ = {k: v for k, v in os.environ.items() if not k.startswith('MAKE')}
    output = subprocess.check_output(
        ['make', '-s', 'which-python'], cwd=repo_root, env=environ, text=True
    )
    assert output == f'{repo_root}/.venv/bin/python\n'
