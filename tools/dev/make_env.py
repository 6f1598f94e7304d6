#!/usr/bin/env python3
"""Make the environment of this checkout and print its interpreter, nothing else.

Two layers. The *base* holds torch and the mm packages (about 6 GB): what
``requirements/lock.txt`` lists. It lies outside the checkout, named after that list,
so that every checkout with the same list uses the same one. ``.venv`` in the checkout
is a thin environment that looks into the base and has this checkout installed
editable, so that two checkouts do not see each other's code.

Every step leaves a stamp. An interrupted run is continued by the next one, and where
nothing is to be done it returns at once. Progress goes to stderr. Needs Python 3.10
on Linux or macOS, and nothing but its standard library.

Environment variables:
    DUGI_ENV_ROOT: Folder of the bases, by default ``~/.cache/dugi_mae/envs``.
    DUGI_FIND_LINKS: Folder with a compiled mmcv wheel, by default ``../shared/wheels``
        beside the checkout. Without a wheel that fits, mmcv is compiled.
"""

from __future__ import annotations

import json
import platform
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from env_tools import (
    LOCK,
    REQUIREMENTS,
    ROOT,
    EnvError,
    clean_environ,
    digest,
    env_root,
    locked,
    pinned,
    pip,
    python_of,
    python_tag,
    runs,
    say,
)
from mmcv_wheel import install_mmcv

BASE_MODULES = (
    *('torch', 'torchvision', 'mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmseg'),
    *('pytest', 'ruff'),
)


def base_folder() -> Path:
    """Where the base for the present lock belongs."""
    lines = LOCK.read_text(encoding='utf-8').splitlines()
    pins = [line for line in lines if line and not line.startswith('#')]
    return env_root() / f'{python_tag()}-{digest(*pins)}'


def finds(python: Path, modules: Sequence[str]) -> bool:
    """Whether an interpreter finds modules, without the time to import them."""
    code = 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, %r)))'
    return runs(python, '-c', code % (tuple(modules),))


# ------------------------------------------------------------------------- the base


def pip_install(base: Path, *arguments: str) -> None:
    """Install into the base within the lock."""
    pip(
        *(python_of(base), 'install', '--constraint', str(LOCK)),
        *arguments,
        what='installing packages',
    )


def make_base_venv(base: Path) -> None:
    """An empty environment with the tools that build."""
    try:
        import ensurepip  # noqa: F401  (Debian ships it apart from python3)
    except ImportError as error:
        raise EnvError(
            'this Python cannot make environments: install its venv part '
            '(package python3-venv), or choose another with make PYTHON=...'
        ) from error
    venv.create(base, with_pip=True, clear=True, symlinks=True)
    # First pip alone: the rest is then installed by the version that the lock names.
    pip_install(base, pinned('pip'))
    pip_install(base, '-r', str(REQUIREMENTS / 'build.txt'))


def install_torch(base: Path) -> None:
    """Torch before all else: mmcv is compiled against it."""
    pip_install(base, pinned('torch'), pinned('torchvision'))


def install_packages(base: Path) -> None:
    """Everything else that the lock names."""
    pip_install(base, '-r', str(LOCK))
    # Two OpenCV builds are required by others and write into the same folder. The
    # headless one goes last: the other cannot be imported where there is no libGL.
    headless = pinned('opencv-python-headless')
    pip_install(base, '--force-reinstall', '--no-deps', headless)


STEPS = (
    ('tools that build', make_base_venv),
    ('torch and torchvision, the longest download', install_torch),
    ('mmcv', install_mmcv),
    ('the other packages', install_packages),
)


def build_base(base: Path) -> None:
    """Build the base, or what is missing of it."""
    stamps, complete = base / '.stamps', base / '.complete'
    if base.exists() and not runs(python_of(base), '-c', ''):
        say(f'{base} has no working interpreter: making it anew')
        shutil.rmtree(base)
    if complete.exists() and not finds(python_of(base), BASE_MODULES):
        say(f'{base} has lost packages: installing them again')
        complete.unlink()
        shutil.rmtree(stamps)
    if complete.exists():
        return

    free = shutil.disk_usage(env_root()).free / 1e9
    say(
        f'Making the environment in {base}: once, a few minutes, about 6 GB '
        f'({free:.0f} GB are free).'
    )
    for number, (title, step) in enumerate(STEPS, start=1):
        stamp = stamps / str(number)
        done = stamp.exists()
        say(f'[{number}/{len(STEPS)}] {title}{": done before" if done else ""}')
        if not done:
            step(base)
            stamps.mkdir(exist_ok=True)
            stamp.touch()
    complete.touch()


# -------------------------------------------------------------------- the checkout


def checkout_stamp(base: Path) -> str:
    """What the thin environment depends on; it is made anew when this changes."""
    texts = [(ROOT / n).read_text('utf-8') for n in ('setup.py', 'dugi_mae/version.py')]
    # Of the model index only whether there is one: its link is made at installation.
    project = digest(*texts, str((ROOT / 'model-index.yml').is_file()))
    return json.dumps({'base': str(base), 'checkout': str(ROOT), 'project': project})


def checkout_is_ready(base: Path, thin: Path) -> bool:
    """Whether the thin environment is this checkout's, current and working."""
    stamp = thin / '.stamp'
    return (
        stamp.is_file()
        and stamp.read_text() == checkout_stamp(base)
        and (base / '.complete').exists()
        and finds(python_of(thin), (*BASE_MODULES, 'dugi_mae'))
    )


def link_checkout(base: Path, thin: Path) -> None:
    """Make the thin environment and install this checkout into it."""
    say(f'Installing this checkout into {thin}')
    # By the base's interpreter, so that both are the same Python for certain. Without
    # pip: the base's is visible, and installs here since it is run from here.
    if not runs(python_of(base), '-m', 'venv', '--clear', '--without-pip', str(thin)):
        raise EnvError(f'{thin} cannot be made: is the folder writable?')
    # addsitedir and not a bare path, so that the base's own .pth files count: on
    # Python 3.12 mmengine's `import distutils` lives on one of them.
    Path(site_packages(thin), 'dugi_mae_base.pth').write_text(
        f'import site; site.addsitedir({site_packages(base)!r})\n'
    )
    pip(
        *(python_of(thin), 'install', '--no-deps', '--no-build-isolation'),
        *('--editable', str(ROOT)),
        what='installing this checkout',
    )
    if not finds(python_of(thin), (*BASE_MODULES, 'dugi_mae')):
        raise EnvError(f'{python_of(thin)} does not find what was installed')
    (thin / '.stamp').write_text(checkout_stamp(base))


def site_packages(env: Path) -> str:
    """Where an environment's packages lie."""
    code = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    command = [str(python_of(env)), '-c', code]
    return subprocess.check_output(command, env=clean_environ(), text=True).strip()


def make_env() -> Path:
    """Make what is missing and return the checkout's interpreter."""
    base, thin = base_folder(), ROOT / '.venv'
    if not checkout_is_ready(base, thin):
        with locked(env_root()):
            # Another process may have done either while this one waited.
            build_base(base)
            if not checkout_is_ready(base, thin):
                link_checkout(base, thin)
    return python_of(thin)


def main() -> int:
    """Print the interpreter's path, or say on the last line what to do."""
    if sys.version_info < (3, 10):  # noqa: UP036  (it is a user who starts this)
        say(f'Python {platform.python_version()} is too old: make PYTHON=python3.11')
        return 1
    # Like Ctrl-C: a compilation that runs is stopped with us, not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(make_env())
    except (EnvError, OSError) as error:
        say(f'The environment is not ready: {error}.')
        say('Run the same command again when that is mended; it continues.')
        return 1
    except KeyboardInterrupt:
        say('Interrupted: run the same command again; it continues.')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
