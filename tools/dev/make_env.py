#!/usr/bin/env python3
"""Make the environment of this checkout and print its interpreter, nothing else.

``.venv`` has pip and this checkout, installed editable. It also sees a *base* outside
the checkout: a virtual environment of about 6 GB with everything that
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
import sys
from pathlib import Path
from subprocess import DEVNULL, CalledProcessError, run

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / 'requirements' / 'lock.txt'
PINS = [p for p in LOCK.read_text().splitlines() if p and not p.startswith('#')]
VENV = ROOT / '.venv'
#: The base that a complete ``.venv`` stands on.
RECORD = VENV / 'base.txt'
FINDS = """
from importlib.util import find_spec
for name in 'torch', 'torchvision', 'mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmseg':
    assert find_spec(name)
"""
FINDS_CHECKOUT = f"""{FINDS}
assert find_spec('dugi_mae').origin == {str(ROOT / 'dugi_mae' / '__init__.py')!r}
"""


def say(text: str) -> None:
    """Tell the person who waits: stdout belongs to the interpreter's path."""
    print(text, file=sys.stderr, flush=True)


def python(interpreter: str | Path, *arguments: str | Path) -> None:
    """Run an interpreter with its output on stderr."""
    run([interpreter, *arguments], check=True, stdin=DEVNULL, stdout=sys.stderr)


def install(env: Path, *arguments: str | Path) -> None:
    """Run ``pip install`` in an environment."""
    python(env / 'bin/python', '-m', 'pip', 'install', '--quiet', *arguments)


def works(env: Path, code: str) -> bool:
    """Whether an environment has an interpreter that runs ``code``."""
    path = env / 'bin/python'
    return (
        path.exists() and not run([path, '-I', '-c', code], stderr=DEVNULL).returncode
    )


def pin(name: str) -> str:
    """``name==version`` as the lock has it."""
    return next(line for line in PINS if line.startswith(f'{name}=='))


def base_folder() -> Path:
    """Where the base for the present lock is, or belongs."""
    known = Path(RECORD.read_text()).parent if RECORD.is_file() else None
    root = os.environ.get('DUGI_ENV_ROOT') or known or '~/.cache/dugi_mae/envs'
    digest = hashlib.sha256('\0'.join(PINS).encode()).hexdigest()[:12]
    name = 'py{}.{}-{}-{}'.format(*sys.version_info[:2], platform.machine(), digest)
    return Path(root).expanduser().resolve() / name


def make_base(base: Path) -> None:
    """Make the base, or what is missing of it."""
    if (base / '.complete').exists() and works(base, FINDS):
        return
    say(f'Making {base}: once, a few minutes, about 6 GB')
    if not works(base, 'import pip'):
        python(sys.executable, '-m', 'venv', '--clear', base)
    install(base, '-c', LOCK, '-r', LOCK.with_name('build.txt'))
    install(base, '--no-deps', *(line for line in PINS if line != pin('onedl-mmcv')))
    # Two OpenCV builds are required by others and write into the same folder. The
    # headless one goes last: the other cannot be imported where there is no libGL.
    install(base, '--no-deps', '--force-reinstall', pin('opencv-python-headless'))
    install_mmcv(base)
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
    wheel = ['--find-links', wheels] if Path(wheels).is_dir() else []
    # A wheel of the folder or of pip's cache may be for another torch.
    compiled = ['--force-reinstall', '--no-cache-dir', '--no-binary=onedl-mmcv']
    for options in wheel, compiled:
        if not works(base, 'import mmcv._ext'):
            mmcv = ['--no-deps', '--no-build-isolation', pin('onedl-mmcv')]
            install(base, *options, *mmcv)


def make_venv(base: Path) -> None:
    """Make ``.venv`` anew on top of the base and install this checkout into it."""
    say(f'Installing this checkout into {VENV}')
    # By the base's interpreter, so that both are the same Python for certain.
    python(base / 'bin/python', '-m', 'venv', '--clear', VENV)
    [packages] = VENV.glob('lib/python*/site-packages')
    [below] = base.glob('lib/python*/site-packages')
    # addsitedir and not a bare path, so that the base's own .pth files count: on
    # Python 3.12 mmengine's `import distutils` lives on one of them.
    line = f'import site; site.addsitedir({str(below)!r})\n'
    (packages / 'dugi_mae_base.pth').write_text(line)
    # `python -m ruff` starts the binary that lies beside the interpreter.
    (VENV / 'bin' / 'ruff').symlink_to(base / 'bin' / 'ruff')
    install(VENV, '--no-deps', '--no-build-isolation', '--editable', ROOT)
    RECORD.write_text(str(base))


def make_env() -> None:
    """Make what is missing, while no other process does."""
    base = base_folder()
    base.parent.mkdir(parents=True, exist_ok=True)
    with open(f'{base}.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_base(base)
        recorded = RECORD.is_file() and RECORD.read_text() == str(base)
        if not recorded or not works(VENV, FINDS_CHECKOUT):
            make_venv(base)


def main() -> int:
    """Print the interpreter's path, or say what to do."""
    if sys.version_info < (3, 10):  # noqa: UP036  (it is a user who starts this)
        say(f'Python {platform.python_version()} is too old: make PYTHON=python3.11')
        return 1
    os.environ.pop('PYTHONPATH', None)
    os.environ |= {'PYTHONNOUSERSITE': '1', 'PYTHONWARNINGS': 'ignore'}
    try:
        make_env()
    except (OSError, CalledProcessError) as error:
        say(f'The environment is not ready: {error}')
        say('Run the same command again when that is solved; it continues.')
        return 1
    print(VENV / 'bin' / 'python')
    return 0


if __name__ == '__main__':
    sys.exit(main())
