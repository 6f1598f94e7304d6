"""tools/check_env.py: what it says about environments that lack or mix things."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MM = ('mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmseg')
ONEDL = {
    'mmcv': 'onedl-mmcv',
    'mmengine': 'onedl-mmengine',
    'mmpretrain': 'onedl-mmpretrain',
    'mmdet': 'onedl-mmdetection',
    'mmseg': 'onedl-mmsegmentation',
}
FAKE_TORCH = """
__version__ = '{version}'
class cuda:
    is_available = staticmethod(lambda: {gpu})
    get_device_name = staticmethod(lambda index: 'Toy GPU')
    device_count = staticmethod(lambda: 1)
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
        (info / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: {name}\nVersion: 9.0\n'
        )

    def whole(self, torch: str = '2.11.0', gpu: bool = False) -> None:
        """Everything that pre-training and fine-tuning need."""
        self.module('torch', FAKE_TORCH.format(version=torch, gpu=gpu))
        self.module('torchvision')
        self.module('dugi_mae')
        for name in MM:
            self.module(name)
        self.module('mmcv._ext', OPERATORS)
        for name in ONEDL.values():
            self.distribution(name)

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


def line_of(report: str, name: str) -> str:
    """The report's line on one thing."""
    return next(line for line in report.splitlines() if line[7:].startswith(name + ' '))


def test_bare_python_is_told_everything(site: FakeSite) -> None:
    """With nothing installed it runs, fails, and gives the command for each part."""
    code, report = site.check()
    assert code == 1
    for name in ('torch', 'mm family', 'mmengine', 'mmcv', 'mmpretrain', 'dugi_mae'):
        assert line_of(report, name).startswith('FAILED')
    assert 'pip install "torch>=2.6" torchvision' in report
    assert 'MMCV_WITH_OPS=1' in report
    assert f'make -C {site.script.parents[1]} env' in report


def test_whole_environment_passes(site: FakeSite) -> None:
    """With everything there it exits with 0 and has nothing to mend."""
    site.whole()
    code, report = site.check()
    assert code == 0
    assert 'to mend' not in report
    assert 'Pre-training is possible.' in report


@pytest.mark.parametrize('name', ['mmdet', 'mmseg'])
def test_fine_tuning_hosts_are_optional(site: FakeSite, name: str) -> None:
    """A missing mmdet or mmseg is reported, and does not forbid pre-training."""
    site.whole()
    (site.folder / name / '__init__.py').unlink()
    (site.folder / name).rmdir()
    code, report = site.check()
    assert code == 0
    assert line_of(report, name).startswith('absent')
    assert f'pip install {ONEDL[name]}' in report


def test_mmcv_without_operators(site: FakeSite) -> None:
    """The lite mmcv pre-trains; the command compiles the operators for fine-tuning."""
    site.whole()
    (site.folder / 'mmcv' / '_ext.py').unlink()
    code, report = site.check()
    assert code == 0
    assert line_of(report, 'mmcv operators').startswith('absent')
    assert 'MMCV_WITH_OPS=1' in report


def test_cpu_operators_beside_a_gpu(site: FakeSite) -> None:
    """Operators that leave a GPU unused are pointed out."""
    site.whole(gpu=True)
    code, report = site.check()
    assert code == 0
    assert 'Toy GPU' in line_of(report, 'CUDA')
    assert 'for the CPU only' in line_of(report, 'mmcv operators')


def test_both_families_are_an_error(site: FakeSite) -> None:
    """Two distributions that own the same import names are never called healthy."""
    site.whole()
    site.distribution('mmcv')
    site.distribution('mmsegmentation')
    code, report = site.check()
    assert code == 1
    assert line_of(report, 'mm family').startswith('FAILED')
    assert 'uninstall -y' in report


def test_mismatched_torchvision(site: FakeSite) -> None:
    """A torchvision built for another torch is told apart from a missing one."""
    site.whole()
    site.module(
        'torchvision',
        "raise RuntimeError('operator torchvision::nms does not exist')\n",
    )
    code, report = site.check()
    assert code == 1
    assert 'torchvision::nms' in line_of(report, 'torchvision')
    assert 'torch==2.11.0 torchvision' in report


def test_package_that_fails_to_import(site: FakeSite) -> None:
    """Any exception at import is reported with its text, not as a traceback."""
    site.whole()
    site.module('mmpretrain', "assert False, 'needs mmcv of another version'\n")
    code, report = site.check()
    assert code == 1
    assert 'needs mmcv of another version' in line_of(report, 'mmpretrain')


def test_old_torch(site: FakeSite) -> None:
    """A torch below the supported versions is refused by its number."""
    site.whole(torch='2.0.1')
    code, report = site.check()
    assert code == 1
    assert line_of(report, 'torch').startswith('FAILED')


def test_openmmlab_family_on_new_torch(site: FakeSite) -> None:
    """The original mmengine, which cannot read its checkpoints there, gets a note."""
    site.whole(torch='2.6.0+cu130')
    for info in site.folder.glob('onedl_*'):
        (info / 'METADATA').unlink()
        info.rmdir()
    site.distribution('mmengine')
    code, report = site.check()
    assert code == 0
    assert 'cannot resume its own checkpoints' in report
