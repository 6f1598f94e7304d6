#!/usr/bin/env python3
"""Make the environment of this checkout and print its interpreter, nothing else.

``.venv`` in the checkout has pip and this checkout, installed editable. It also sees a
*base* outside the checkout: a virtual environment of about 6 GB with everything that
``requirements/lock.txt`` lists. The base is named after that list, and checkouts with
the same list share it. An interrupted run is continued by the next one, and where
nothing is to be done it returns at once. Progress goes to stderr. Needs only Python
3.10 or later, on Linux or macOS.

Environment variables:
    DUGI_ENV_ROOT: Folder of the bases. By default the one in which ``.venv`` found its
        base before, else ``~/.cache/dugi_mae/envs``.
    DUGI_FIND_LINKS: Folder with a compiled mmcv wheel, by default ``../shared/wheels``
        beside the checkout. Without a wheel that fits, mmcv is compiled.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import signal
import sys
from pathlib import Path
from subprocess import DEVNULL, CalledProcessError, run

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / 'requirements' / 'lock.txt'
VENV = ROOT / '.venv'
RECORD = VENV / 'base.txt'
FINDS = """
from importlib.util import find_spec
for name in 'torch', 'torchvision', 'mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmseg':
    assert find_spec(name)
"""
OWN = str(ROOT / 'dugi_mae' / '__init__.py')
FINDS_CHECKOUT = f'{FINDS}assert find_spec("dugi_mae").origin == {OWN!r}'
# The library is loaded by itself: what mmcv imports is not installed at this point.
LOADS_OPERATORS = """
import glob, importlib.util as u, torch
folder = u.find_spec('mmcv').submodule_search_locations[0]
spec = u.spec_from_file_location('_ext', glob.glob(folder + '/_ext*.so')[0])
spec.loader.exec_module(u.module_from_spec(spec))
"""


def say(text: str) -> None:
    """Tell the person who waits: stdout belongs to the interpreter's path."""
    print(text, file=sys.stderr, flush=True)


def python(interpreter: str | Path, *arguments: str | Path) -> None:
    """Run an interpreter with its output on stderr."""
    command = [str(part) for part in (interpreter, *arguments)]
    run(command, check=True, stdin=DEVNULL, stdout=sys.stderr)


def install(env: Path, *arguments: str | Path) -> None:
    """Run ``pip install`` in an environment; a log gets only what goes wrong."""
    quiet = [] if sys.stderr.isatty() else ['--quiet']
    python(env / 'bin/python', '-m', 'pip', 'install', *quiet, *arguments)


def works(env: Path, code: str) -> bool:
    """Whether an environment has an interpreter that runs ``code``."""
    path = env / 'bin/python'
    command = [path, '-I', '-c', code]
    return path.exists() and run(command, stderr=DEVNULL).returncode == 0


def pins() -> list[str]:
    """The lines of the lock without its comments."""
    lines = LOCK.read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def pinned(name: str) -> str:
    """``name==version`` as the lock has it."""
    return next(p.split(';')[0].strip() for p in pins() if p.startswith(f'{name}=='))


def base_folder() -> Path:
    """Where the base for the present lock is, or belongs."""
    digest = hashlib.sha256('\0'.join(pins()).encode()).hexdigest()[:12]
    name = 'py{}.{}-{}-{}'.format(*sys.version_info[:2], platform.machine(), digest)
    chosen = os.environ.get('DUGI_ENV_ROOT')
    recorded = Path(RECORD.read_text() if RECORD.is_file() else '')
    if not chosen and recorded.name == name and (recorded / '.complete').exists():
        return recorded
    return Path(chosen or '~/.cache/dugi_mae/envs').expanduser().resolve() / name


def make_base(base: Path) -> None:
    """Make the base, or what is missing of it."""
    if (base / '.complete').exists() and works(base, FINDS):
        return
    say(f'Making {base}: once, a few minutes, about 6 GB')
    if not works(base, 'import pip'):
        python(sys.executable, '-m', 'venv', '--clear', base)
    install(base, pinned('pip'))
    install(base, '-c', LOCK, '-r', LOCK.with_name('build.txt'))
    say('  torch, the longest download')
    install(base, '-c', LOCK, pinned('torch'), pinned('torchvision'))
    install_mmcv(base)
    say('  the other packages')
    install(base, '-r', LOCK)
    # Two OpenCV builds are required by others and write into the same folder. The
    # headless one goes last: the other cannot be imported where there is no libGL.
    headless = pinned('opencv-python-headless')
    install(base, '--force-reinstall', '--no-deps', headless)
    if not works(base, FINDS):
        raise OSError(f'{base} has lost files of its packages: remove that folder')
    (base / '.complete').touch()


def install_mmcv(base: Path) -> None:
    """Install mmcv with its operators; pip compiles it where no wheel fits."""
    say('  mmcv: without a fitting wheel it is compiled, about 18 minutes on 2 cores')
    # torch calls ninja by name. With a GPU but no nvcc, mmcv would try CUDA and fail.
    os.environ |= {'MMCV_WITH_OPS': '1', 'PATH': f'{base}/bin:{os.environ["PATH"]}'}
    if not shutil.which('nvcc'):
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    wheels = os.environ.get('DUGI_FIND_LINKS') or ROOT.parent / 'shared' / 'wheels'
    options = ['--no-deps', '--no-build-isolation', pinned('onedl-mmcv')]
    if Path(wheels).is_dir():
        options += ['--find-links', wheels]
    # A wheel of the folder or of pip's cache may be for another torch.
    compiled = ['--force-reinstall', '--no-cache-dir', '--no-binary=onedl-mmcv']
    for more in [], compiled:
        if not works(base, LOADS_OPERATORS):
            install(base, *more, *options)


def make_venv(base: Path) -> None:
    """Make ``.venv`` on top of the base and install this checkout into it."""
    say(f'Installing this checkout into {VENV}')
    RECORD.unlink(missing_ok=True)
    same = works(VENV, f'import sys; assert sys.version_info == {sys.version_info[:]}')
    # By the base's interpreter, so that both are the same Python for certain.
    clear = [] if same else ['--clear']
    python(base / 'bin/python', '-m', 'venv', '--without-pip', *clear, VENV)
    [packages] = VENV.glob('lib/python*/site-packages')
    [below] = base.glob('lib/python*/site-packages')
    # addsitedir and not a bare path, so that the base's own .pth files count: on
    # Python 3.12 mmengine's `import distutils` lives on one of them.
    line = f'import site; site.addsitedir({str(below)!r})\n'
    (packages / 'dugi_mae_base.pth').write_text(line)
    # The base's programs work on the environment whose interpreter starts them.
    for name in ('pip', 'pytest'):
        program = VENV / 'bin' / name
        program.write_text(f'#!/bin/sh\nexec "$(dirname "$0")/python" -m {name} "$@"\n')
        program.chmod(0o755)
    # A binary; `python -m ruff` starts the one beside the interpreter, so no wrapper.
    ruff = VENV / 'bin' / 'ruff'
    ruff.unlink(missing_ok=True)
    ruff.symlink_to(base / 'bin' / 'ruff')
    install(VENV, '--no-deps', '--no-build-isolation', '--editable', ROOT)
    RECORD.write_text(str(base))


def is_ready(base: Path) -> bool:
    """Whether ``.venv`` is this checkout's, on a complete base, and working."""
    recorded = RECORD.is_file() and RECORD.read_text() == str(base)
    return recorded and (base / '.complete').exists() and works(VENV, FINDS_CHECKOUT)


def make_env() -> None:
    """Make what is missing, while no other process does."""
    base = base_folder()
    if is_ready(base):
        return
    base.parent.mkdir(parents=True, exist_ok=True)
    with open(base.parent / '.lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'Waiting for another process that builds in {base.parent}')
            fcntl.flock(lock, fcntl.LOCK_EX)
        make_base(base)
        if not is_ready(base):
            make_venv(base)


def main() -> int:
    """Print the interpreter's path, or say what to do."""
    if sys.version_info < (3, 10):  # noqa: UP036  (it is a user who starts this)
        say(f'Python {platform.python_version()} is too old: make PYTHON=python3.11')
        return 1
    # Like Ctrl-C: pip is stopped with us, not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.pop('PYTHONPATH', None)
    os.environ |= {'PYTHONNOUSERSITE': '1', 'PYTHONWARNINGS': 'ignore'}
    try:
        make_env()
    except (OSError, CalledProcessError, KeyboardInterrupt) as error:
        say(f'The environment is not ready: {error or "interrupted"}')
        say('Run the same command again when that is solved; it continues.')
        return 1
    print(VENV / 'bin' / 'python')
    return 0


if __name__ == '__main__':
    sys.exit(main())
