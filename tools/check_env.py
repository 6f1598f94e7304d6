#!/usr/bin/env python3
"""Say what is installed, what is missing and which command installs it.

Runs with any Python, with nothing installed: ``python tools/check_env.py``. The exit
code is 0 when the core works in this Python and the mm packages, if any, are of one
family. What only OpenMMLab's hosts and our tools need may be absent.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import platform
import re
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKOUT = (ROOT / 'setup.py').is_file()
PIP = f'{sys.executable} -m pip'
#: What is imported, by the extra that installs it.
CORE = ('torch', 'numpy', 'safetensors', 'cv2', 'PIL', 'tifffile', 'dugi_mae')
TOOLS = ('torchvision', 'matplotlib', 'scipy', 'tqdm')
MMCV = ('mmcv', 'mmcv._ext')
HOSTS = ('mmengine', 'mmpretrain', 'mmdet', 'mmseg')
#: Distributions of the two families that share these import names, mmcv's first.
FAMILIES = {
    'onedl': (
        *('onedl-mmcv', 'onedl-mmengine', 'onedl-mmpretrain'),
        *('onedl-mmdetection', 'onedl-mmsegmentation'),
    ),
    'openmmlab': ('mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmsegmentation'),
}


def report(state: str, name: str, detail: object) -> None:
    """Print one finding."""
    print(f'{state:<8}{name:<13}{detail}')


def solve(command: str) -> None:
    """Print the command that solves what is above it."""
    print(f'        to solve: {command}')


def install(extra: str = '') -> str:
    """The command that installs this package, with the requirements of an extra."""
    what = f'-e "{ROOT}{extra}"' if CHECKOUT else f'"dugi-mae{extra}"'
    return f'{PIP} install {what}'


def check_modules(names: tuple[str, ...], state: str, remedy: str) -> list[str]:
    """Report modules, those that cannot be imported as ``state``; returns these."""
    failed = []
    for name in names:
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter('ignore')
                module = importlib.import_module(name)
        # More than ImportError: version asserts, libraries that do not load.
        except Exception as error:
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())
            report(state, name, reason[:160])
            failed.append(name)
        else:
            report('ok', name, getattr(module, '__version__', 'imported'))
    if failed:
        solve(remedy)
    return failed


def check_torch() -> bool:
    """Report the device that torch sees; whether its version is supported."""
    import torch

    gpu = torch.cuda.is_available()
    detail = torch.cuda.get_device_name(0) if gpu else 'no device: all runs on the CPU'
    report('ok' if gpu else 'note', 'CUDA', detail)
    supported = [int(n) for n in re.findall(r'\d+', torch.__version__)[:2]] >= [2, 6]
    if not supported:
        report('FAILED', 'torch', '2.6 or later is needed')
        solve(f'{install()} -U')
    return supported


def check_hosts() -> bool:
    """Report the mm packages; whether they are of one family."""
    names = {
        re.sub('[-_.]+', '-', found.metadata['Name'] or '').lower()
        for found in importlib.metadata.distributions()
    }
    here = {family: names & {*members} for family, members in FAMILIES.items()}
    both = sorted(set().union(*here.values()))
    if all(here.values()):
        # Removing one takes shared files from the other: both go, one comes back.
        report('FAILED', 'mm family', 'two share their folders')
        solve(f'{PIP} uninstall -y {" ".join(both)} && {install("[onedl]")}')
        return False
    family = 'openmmlab' if here['openmmlab'] else 'onedl'
    report('ok' if both else 'absent', 'mm family', ', '.join(both) or 'core only')
    operators = (
        f'{PIP} install "setuptools<81" wheel ninja && MMCV_WITH_OPS=1 {PIP} install '
        '--no-build-isolation --no-cache-dir --force-reinstall --no-deps '
        f'{FAMILIES[family][0]}'
    )
    check_modules(MMCV, 'absent', operators)
    check_modules(HOSTS, 'absent', install(f'[{family}]'))
    built = getattr(sys.modules.get('mmcv._ext'), 'get_compiling_cuda_version', str)()
    if built == 'not available' and sys.modules['torch'].cuda.is_available():
        report('note', 'mmcv._ext', 'for the CPU only, although there is a GPU')
        solve(operators)
    return True


def main() -> int:
    """Print the report."""
    report('ok', 'python', f'{platform.python_version()} ({sys.executable})')
    if sys.version_info < (3, 10):  # noqa: UP036  (this may be any Python)
        report('FAILED', 'python', '3.10 or later is needed')
        return 1
    failed = check_modules(CORE, 'FAILED', install())
    works = ('torch' in failed or check_torch()) and not failed
    check_modules(TOOLS, 'absent', install('[tools]'))
    works = check_hosts() and works
    print(f'\nThe core {"works" if works else "does not work"}.')
    if CHECKOUT and not works:
        print(f'A complete environment apart from this Python: make -C {ROOT} env')
    return 0 if works else 1


if __name__ == '__main__':
    sys.exit(main())
