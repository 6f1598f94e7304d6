#!/usr/bin/env python3
"""Say what is installed, what is missing and which command installs it.

Runs with any Python, with nothing installed: ``python tools/check_env.py``. The exit
code is 0 when the core works in this Python and the mm packages, if any, are of one
family. What only OpenMMLab's hosts and our tools need may be absent.
"""

from __future__ import annotations

import contextlib
import importlib
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
TOOLS = ('torchvision', 'matplotlib', 'scipy', 'skimage', 'tqdm')
MMCV = ('mmcv', 'mmcv._ext')
HOSTS = ('mmengine', 'mmpretrain', 'mmdet', 'mmseg')
#: Distributions of the two families that share these import names.
FAMILIES = {
    'onedl': (
        *('onedl-mmcv', 'onedl-mmengine', 'onedl-mmpretrain'),
        *('onedl-mmdetection', 'onedl-mmsegmentation'),
    ),
    'openmmlab': ('mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmsegmentation'),
}


def report(state: str, name: str, detail: object, remedy: str = '') -> None:
    """Print one finding, and below it the command that solves it."""
    print(f'{state:<8}{name:<13}{detail}')
    if remedy:
        print(f'        to solve: {remedy}')


def install(extra: str = '') -> str:
    """The command that installs this package, with the requirements of an extra."""
    what = f'-e "{ROOT}{extra}"' if CHECKOUT else f'"dugi-mae{extra}"'
    return f'{PIP} install {what}'


def install_operators(family: str) -> str:
    """The command that compiles mmcv with its operators for the installed torch."""
    return (
        f'{PIP} install "setuptools<81" wheel ninja && MMCV_WITH_OPS=1 {PIP} install '
        '--no-build-isolation --no-cache-dir --force-reinstall --no-deps '
        f'{FAMILIES[family][0]}'
    )


def try_import(name: str) -> str:
    """The reason on one line why a module cannot be imported; empty if it can.

    Third-party imports fail with more than ImportError: version asserts, operators
    that do not exist, libraries that do not load.
    """
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (name, name[:4]):
            return 'not installed'
        reason = (str(error).strip() or '(no message)').splitlines()[0][:160]
        return f'cannot be imported: {type(error).__name__}: {reason}'
    return ''


def check_modules(names: tuple[str, ...], state: str, remedy: str) -> list[str]:
    """Report modules, the failed ones as ``state``, and return the failed ones."""
    reasons = {name: try_import(name) for name in names}
    failed = [name for name in names if reasons[name]]
    for name, reason in reasons.items():
        version = getattr(sys.modules.get(name), '__version__', 'imported')
        solve = remedy if failed and name == failed[-1] else ''
        report(state if reason else 'ok', name, reason or version, solve)
    return failed


def check_family() -> str | None:
    """Report the mm family; returns its name, ``None`` if two are mixed."""
    names = {
        re.sub('[-_.]+', '-', found.metadata['Name'] or '').lower()
        for found in importlib.metadata.distributions()
    }
    here = {family: names & {*members} for family, members in FAMILIES.items()}
    both = sorted(set().union(*here.values()))
    if not all(here.values()):
        family = 'openmmlab' if here['openmmlab'] else 'onedl'
        detail = f'{family} ({", ".join(both)})' if both else 'no mm package: core only'
        report('ok' if both else 'absent', 'mm family', detail)
        return family
    # Removing one takes shared files from the other: both go, one comes back.
    remedy = f'{PIP} uninstall -y {" ".join(both)} && {install("[onedl]")}'
    report('FAILED', 'mm family', 'onedl and openmmlab share their folders', remedy)
    return None


def check_devices(family: str) -> None:
    """Report the device that torch sees, and operators that leave it unused."""
    import torch

    if not torch.cuda.is_available():
        report('note', 'CUDA', 'no device: everything runs on the CPU')
        return
    report('ok', 'CUDA', torch.cuda.get_device_name(0))
    operators = sys.modules.get('mmcv._ext')
    built = getattr(operators, 'get_compiling_cuda_version', str)()
    if built == 'not available':
        detail = 'for the CPU only, although there is a GPU'
        report('note', 'mmcv._ext', detail, install_operators(family))


def main() -> int:
    """Print the report."""
    report('ok', 'python', f'{platform.python_version()} ({sys.executable})')
    if sys.version_info < (3, 10):  # noqa: UP036  (this may be any Python)
        report('FAILED', 'python', '3.10 or later is needed', 'use a newer python')
        return 1
    failed = check_modules(CORE, 'FAILED', install())
    if 'torch' not in failed:
        import torch

        if [int(n) for n in re.findall(r'\d+', torch.__version__)[:2]] < [2, 6]:
            report('FAILED', 'torch', '2.6 or later is needed', f'{install()} -U')
            failed.append('torch')
    absent = check_modules(TOOLS, 'absent', install('[tools]'))
    if family := check_family():
        absent += check_modules(MMCV, 'absent', install_operators(family))
        absent += check_modules(HOSTS, 'absent', install(f'[{family}]'))
    if 'torch' not in failed:
        check_devices(family or 'onedl')
    print()
    if failed or not family:
        print(f'The core does not work: {", ".join(failed) or "mm family"}.')
        if CHECKOUT:
            print(f'A complete environment apart from this Python: make -C {ROOT} env')
        return 1
    print('The core works.' + (' Absent: ' + ', '.join(absent) if absent else ''))
    return 0


if __name__ == '__main__':
    sys.exit(main())
