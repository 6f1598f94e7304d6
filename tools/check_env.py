#!/usr/bin/env python3
"""Say in plain words what is installed, what is missing and how to mend it.

Runs with any Python, with nothing installed: ``python tools/check_env.py``. The exit
code is 0 when pre-training is possible in this Python, else 1.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import platform
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PIP = f'{sys.executable} -m pip'
# Import name -> distribution, for the two families that share the import names.
FAMILIES = {
    'onedl': {
        'mmcv': 'onedl-mmcv',
        'mmengine': 'onedl-mmengine',
        'mmpretrain': 'onedl-mmpretrain',
        'mmdet': 'onedl-mmdetection',
        'mmseg': 'onedl-mmsegmentation',
    },
    'openmmlab': {
        'mmcv': 'mmcv',
        'mmengine': 'mmengine',
        'mmpretrain': 'mmpretrain',
        'mmdet': 'mmdet',
        'mmseg': 'mmsegmentation',
    },
}


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        name: What was looked at.
        state: ``ok``, ``note`` (works, worth knowing), ``absent`` (missing, and not
            needed for pre-training) or ``FAILED``.
        detail: What was found.
        mend: The command that puts it right; empty when nothing is wrong.
    """

    name: str
    state: str
    detail: str
    mend: str = ''


def try_import(name: str) -> tuple[ModuleType | None, str]:
    """Import a module, or say on one line why that fails.

    Third-party imports fail with more than ImportError: version asserts, operators
    that do not exist, libraries that do not load.
    """
    if importlib.util.find_spec(name.split('.')[0]) is None:
        return None, 'not installed'
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            return importlib.import_module(name), ''
    except Exception as error:
        reason = (str(error).strip() or '(no message)').splitlines()[0][:160]
        return None, f'cannot be imported: {type(error).__name__}: {reason}'


def version_of(module: ModuleType) -> str:
    """A module's version as it tells it."""
    return str(getattr(module, '__version__', 'of unknown version'))


def at_least(version: str, *wanted: int) -> bool:
    """Whether a version's leading numbers are not below the wanted ones."""
    numbers = re.findall(r'\d+', version.split('+')[0])[: len(wanted)]
    return tuple(map(int, numbers)) >= wanted


def installed_families() -> dict[str, list[str]]:
    """Installed distributions of each mm family; a family without any is left out."""
    names = {
        re.sub(r'[-_.]+', '-', found.metadata['Name'] or '').lower()
        for found in importlib.metadata.distributions()
    }
    families = {
        family: sorted(names & set(members.values()))
        for family, members in FAMILIES.items()
    }
    return {family: found for family, found in families.items() if found}


# ------------------------------------------------------------------------- the checks


def check_python() -> Finding:
    """Python itself."""
    found = platform.python_version()
    if sys.version_info < (3, 10):  # noqa: UP036  (this may be any Python)
        return Finding('python', 'FAILED', f'{found}, 3.10 is needed', mend_all())
    return Finding('python', 'ok', f'{found} ({sys.executable})')


def check_torch() -> list[Finding]:
    """Torch, its device, and a torchvision that was built for it."""
    mend = f'{PIP} install "torch>=2.6" torchvision'
    torch, reason = try_import('torch')
    if torch is None:
        return [Finding('torch', 'FAILED', reason, mend)]
    version = version_of(torch)
    if not at_least(version, 2, 6):
        return [Finding('torch', 'FAILED', f'{version}, 2.6 is needed', mend)]
    findings = [Finding('torch', 'ok', version), check_cuda(torch)]

    torchvision, reason = try_import('torchvision')
    if torchvision is None:
        public = version.split('+')[0]
        pair = f'{PIP} install --force-reinstall torch=={public} torchvision'
        if reason != 'not installed':
            reason += f' (is it the build for torch {version}?)'
        return [*findings, Finding('torchvision', 'FAILED', reason, pair)]
    return [*findings, Finding('torchvision', 'ok', version_of(torchvision))]


def check_cuda(torch: ModuleType) -> Finding:
    """The device that torch sees."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        return Finding('CUDA', 'ok', f'{torch.cuda.device_count()} x {name}')
    return Finding('CUDA', 'note', 'no device: everything runs on the CPU')


def check_family(families: dict[str, list[str]]) -> Finding:
    """Exactly one of the two mm families."""
    if len(families) == 1:
        [(family, found)] = families.items()
        return Finding('mm family', 'ok', f'{family} ({", ".join(found)})')
    if not families and importlib.util.find_spec('mmengine'):
        return Finding(
            'mm family', 'note', 'built by hand: neither onedl nor openmmlab'
        )
    if not families:
        return Finding('mm family', 'FAILED', 'none is installed', mend_family('onedl'))
    every = ' '.join(name for found in families.values() for name in found)
    return Finding(
        'mm family',
        'FAILED',
        'both onedl and openmmlab are installed: they write into the same folders '
        f'({every})',
        # Removing one takes shared files from the other: both go, one comes back.
        f'{PIP} uninstall -y {every} && {mend_family("onedl")}',
    )


def check_package(name: str, family: str, optional: bool) -> Finding:
    """One mm package."""
    module, reason = try_import(name)
    if module is not None:
        return Finding(name, 'ok', version_of(module))
    mend = f'{PIP} install {FAMILIES[family][name]}'
    if name == 'mmcv':
        mend = mend_operators(family)
    if reason != 'not installed':
        mend = mend.replace('install', 'install --force-reinstall --no-deps', 1)
    if optional:
        return Finding(name, 'absent', f'{reason} (only for fine-tuning)', mend)
    return Finding(name, 'FAILED', reason, mend)


def check_operators(family: str) -> Finding:
    """The compiled part of mmcv, without which mmdet does not start."""
    operators, reason = try_import('mmcv._ext')
    if operators is None:
        detail = f'{reason} (only for fine-tuning in mmdet and mmseg)'
        return Finding('mmcv operators', 'absent', detail, mend_operators(family))
    built_for = getattr(operators, 'get_compiling_cuda_version', lambda: 'unknown')()
    cpu_only = built_for == 'not available'
    if cpu_only and sys.modules['torch'].cuda.is_available():
        detail = 'for the CPU only, although there is a GPU'
        return Finding('mmcv operators', 'note', detail, mend_operators(family))
    detail = 'for the CPU' if cpu_only else f'for the CPU and CUDA {built_for}'
    return Finding('mmcv operators', 'ok', detail)


def check_torch_load(family: str, torch_version: str) -> list[Finding]:
    """The pair of versions that trains, and then cannot read what it saved."""
    if family != 'openmmlab' or not at_least(torch_version, 2, 6):
        return []
    detail = f'cannot resume its own checkpoints on torch {torch_version}'
    found = ' '.join(FAMILIES['openmmlab'].values())
    mend = f'{PIP} uninstall -y {found} && {mend_family("onedl")}'
    return [Finding('mmengine', 'note', detail, mend)]


def check_dugi_mae() -> Finding:
    """This project."""
    module, reason = try_import('dugi_mae')
    if module is not None:
        where = Path(module.__file__ or '').parent
        return Finding('dugi_mae', 'ok', f'{version_of(module)} ({where})')
    mend = f'{PIP} install --no-deps --no-build-isolation -e {ROOT}'
    return Finding('dugi_mae', 'FAILED', reason, mend)


def check_all() -> list[Finding]:
    """Every check, in the order in which things should be mended."""
    families = installed_families()
    family = next(iter(families), 'onedl')
    findings = [check_python(), *check_torch(), check_family(families)]
    findings += [check_package(n, family, False) for n in ('mmengine', 'mmcv')]
    findings += [check_package('mmpretrain', family, False)]
    if 'torch' in sys.modules:
        findings += [check_operators(family)]
        findings += check_torch_load(family, version_of(sys.modules['torch']))
    findings += [check_package(n, family, True) for n in ('mmdet', 'mmseg')]
    return [*findings, check_dugi_mae()]


# -------------------------------------------------------------------------- the cures


def is_checkout() -> bool:
    """Whether this file lies in a checkout, and not in an installed package."""
    return (ROOT / 'Makefile').is_file() and (ROOT / 'setup.py').is_file()


def mend_all() -> str:
    """The command that gives a whole environment."""
    return (
        f'make -C {ROOT} env' if is_checkout() else f'{PIP} install "dugi-mae[onedl]"'
    )


def mend_family(family: str) -> str:
    """The command that installs one mm family."""
    # mmcv stands among them once more for what it requires itself.
    packages = ' '.join(FAMILIES[family].values())
    return f'{mend_operators(family)} && {PIP} install {packages} ftfy'


def mend_operators(family: str) -> str:
    """The command that installs mmcv with its operators compiled for this torch."""
    name = FAMILIES[family]['mmcv']
    return (
        f'{PIP} install "setuptools<81" wheel ninja && MMCV_WITH_OPS=1 {PIP} install '
        f'--no-build-isolation --no-cache-dir --force-reinstall --no-deps {name}'
    )


def main() -> int:
    """Print the report."""
    findings = check_all()
    width = max(len(finding.name) for finding in findings)
    for name, state, detail, mend in findings:
        print(f'{state:<7}{name:<{width}}  {detail}')
        if mend:
            print(f'{"":<{width + 9}}to mend: {mend}')

    failed = [finding.name for finding in findings if finding.state == 'FAILED']
    project = ROOT / '.venv'
    print()
    if failed:
        print(f'Pre-training is not possible: {", ".join(failed)}.')
        if is_checkout() and Path(sys.prefix).resolve() != project.resolve():
            print(f'A whole environment, apart from this Python: {mend_all()}')
            print(f'Then check that one: {project}/bin/python {Path(__file__)}')
        return 1
    absent = [finding.name for finding in findings if finding.state == 'absent']
    print('Pre-training is possible.')
    if absent:
        print(f'Not here, and only for fine-tuning: {", ".join(absent)}.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
