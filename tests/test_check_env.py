"""tools/check_env.py: what it says about environments that lack or mix things."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CORE = ('numpy', 'safetensors', 'cv2', 'PIL', 'tifffile', 'dugi_mae')
TOOLS = ('torchvision', 'matplotlib', 'scipy', 'skimage', 'tqdm')
MM = ('mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmseg')
FAKE_TORCH = """
__version__ = '{version}'
class cuda:
    is_available = staticmethod(lambda: {gpu})
    get_device_name = staticmethod(lambda index: 'Toy GPU')
"""
OPERATORS = "get_compiling_cuda_version = lambda: 'not available'\n"


class FakeSite:
    """A folder of empty packages that stands in for an installed environment."""

    def __init__(self, folder: Path, script: Path) -> None:
        self.folder = folder
        self.script = script

    def module(self, name: str, text: str = "__version__ = '9.0'\n") -> None:
        """Write a package; a dot in its name makes a module inside one."""
        package, _, inner = name.partition('.')
        path = self.folder / package / f'{inner or "__init__"}.py'
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def distribution(self, name: str) -> None:
        """Write the metadata by which an installed distribution is recognised."""
        info = self.folder / f'{name.replace("-", "_")}-9.0.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Name: {name}\nVersion: 9.0\n')

    def fill(
        self, torch: str = '2.11.0', gpu: bool = False, hosts: bool = True
    ) -> None:
        """Everything, with or without the mm packages."""
        self.module('torch', FAKE_TORCH.format(version=torch, gpu=gpu))
        for name in (*CORE, *TOOLS, *(MM if hosts else ())):
            self.module(name)
        if hosts:
            self.module('mmcv._ext', OPERATORS)
            self.distribution('onedl-mmcv')

    def check(self) -> tuple[int, str]:
        """Exit code and output of the script, with nothing else importable."""
        # -S leaves out the packages of the environment that runs this test.
        done = subprocess.run(
            [sys.executable, '-S', str(self.script)],
            env={**os.environ, 'PYTHONPATH': str(self.folder)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def site(tmp_path: Path, repo_root: Path) -> FakeSite:
    """A fake environment with nothing in it."""
    return FakeSite(tmp_path, repo_root / 'tools' / 'check_env.py')


def state_of(report: str, name: str) -> str:
    """The first word of the report's last line on one thing."""
    lines = (line.split() for line in report.splitlines())
    return next(words[0] for words in reversed([*lines]) if words[1:2] == [name])


def test_bare_python_is_told_everything(site: FakeSite) -> None:
    """With nothing installed it runs, fails, and gives the commands that install."""
    code, report = site.check()
    assert code == 1
    assert {state_of(report, name) for name in ('torch', *CORE)} == {'FAILED'}
    assert {state_of(report, name) for name in (*TOOLS, *MM)} == {'absent'}
    for command in ('pip install -e', '[tools]', '[onedl]', 'MMCV_WITH_OPS=1'):
        assert command in report
    assert f'make -C {site.script.parents[1]} env' in report


def test_complete_environment_passes(site: FakeSite) -> None:
    """With everything there it exits with 0 and has nothing to solve."""
    site.fill()
    code, report = site.check()
    assert code == 0
    assert 'to solve' not in report


def test_hosts_are_optional(site: FakeSite) -> None:
    """The core works without a mm package, which the report says."""
    site.fill(hosts=False)
    code, report = site.check()
    assert code == 0
    assert 'core only' in report
    assert state_of(report, 'mmcv') == 'absent'


def test_what_is_half_there(site: FakeSite) -> None:
    """Operators, a GPU that they do not use, and any exception at import are told."""
    site.fill(gpu=True)
    site.module('mmpretrain', "assert False, 'needs mmcv of another version'\n")
    code, report = site.check()
    assert code == 0
    assert 'Toy GPU' in report
    assert state_of(report, 'mmcv._ext') == 'note'
    assert state_of(report, 'mmpretrain') == 'absent'
    assert 'needs mmcv of another version' in report
    (site.folder / 'mmcv' / '_ext.py').unlink()
    code, report = site.check()
    assert code == 0
    assert state_of(report, 'mmcv._ext') == 'absent'
    assert 'MMCV_WITH_OPS=1' in report


def test_both_families_are_an_error(site: FakeSite) -> None:
    """Two distributions that own the same import names are never called healthy."""
    site.fill()
    site.distribution('mmsegmentation')
    code, report = site.check()
    assert code == 1
    assert 'uninstall -y mmsegmentation onedl-mmcv' in report


def test_old_torch(site: FakeSite) -> None:
    """A torch below the supported versions is refused by its number."""
    site.fill(torch='2.0.1')
    code, report = site.check()
    assert code == 1
    assert state_of(report, 'torch') == 'FAILED'
    assert '2.6' in report
