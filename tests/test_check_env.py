"""tools/check_env.py: what it says about environments that lack or mix things."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / 'tools/check_env.py'
CORE = ('numpy', 'safetensors', 'cv2', 'PIL', 'tifffile', 'dugi_mae')
TOOLS = ('torchvision', 'matplotlib', 'scipy', 'tqdm')
MM = ('mmcv', 'mmengine', 'mmpretrain', 'mmdet', 'mmseg')
FAKE_TORCH = """
__version__ = '{version}'
class cuda:
    is_available = staticmethod(lambda: {gpu})
    get_device_name = staticmethod(lambda index: 'Toy GPU')
"""


def make_site(
    folder: Path, names: tuple[str, ...], torch: str = '2.11.0', gpu: bool = False
) -> Path:
    """A folder of empty packages that stands in for an installed environment."""
    for name in (*names, 'torch'):
        (folder / name).mkdir()
        (folder / name / '__init__.py').write_text("__version__ = '9.0'")
    text = FAKE_TORCH.format(version=torch, gpu=gpu)
    (folder / 'torch/__init__.py').write_text(text)
    if 'mmcv' in names:
        text = "get_compiling_cuda_version = lambda: 'not available'"
        (folder / 'mmcv/_ext.py').write_text(text)
        add_distribution(folder, 'onedl-mmcv')
    return folder


def add_distribution(folder: Path, name: str) -> None:
    """Write the metadata by which an installed distribution is recognised."""
    info = folder / f'{name.replace("-", "_")}-9.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Name: {name}\nVersion: 9.0\n')


def check(folder: Path) -> tuple[int, str]:
    """Exit code and output of the script, with nothing else importable."""
    # -S leaves out the packages of the environment that runs this test.
    command = [sys.executable, '-S', str(SCRIPT)]
    environ = {**os.environ, 'PYTHONPATH': str(folder)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def state_of(report: str, name: str) -> str:
    """The first word of the report's last line on one thing."""
    lines = (line.split() for line in report.splitlines())
    return next(words[0] for words in reversed([*lines]) if words[1:2] == [name])


def test_bare_python_is_told_everything(tmp_path):
    """With nothing installed it runs, fails, and gives the commands that install."""
    code, report = check(tmp_path)
    assert code == 1
    assert {state_of(report, name) for name in ('torch', *CORE)} == {'FAILED'}
    assert {state_of(report, name) for name in (*TOOLS, *MM)} == {'absent'}
    for command in ('pip install -e', '[tools]', '[onedl]', 'MMCV_WITH_OPS=1'):
        assert command in report
    assert f'make -C {SCRIPT.parents[1]} env' in report


def test_complete_environment_passes(tmp_path):
    """With everything there it exits with 0 and has nothing to solve."""
    code, report = check(make_site(tmp_path, (*CORE, *TOOLS, *MM)))
    assert code == 0 and 'to solve' not in report


def test_hosts_are_optional(tmp_path):
    """The core works without a mm package, which the report says."""
    code, report = check(make_site(tmp_path, CORE))
    assert code == 0 and 'core only' in report
    assert state_of(report, 'mmcv') == 'absent'


def test_what_is_half_there(tmp_path):
    """Operators, a GPU that they do not use, and any exception at import are told."""
    site = make_site(tmp_path, (*CORE, *TOOLS, *MM), gpu=True)
    (site / 'mmpretrain/__init__.py').write_text("assert False, 'needs another mmcv'")
    code, report = check(site)
    assert code == 0
    assert 'Toy GPU' in report and 'needs another mmcv' in report
    assert state_of(report, 'mmcv._ext') == 'note'
    assert state_of(report, 'mmpretrain') == 'absent'
    (site / 'mmcv/_ext.py').unlink()
    code, report = check(site)
    assert code == 0 and 'MMCV_WITH_OPS=1' in report
    assert state_of(report, 'mmcv._ext') == 'absent'


def test_both_families_are_an_error(tmp_path):
    """Two distributions that own the same import names are never called healthy."""
    add_distribution(make_site(tmp_path, (*CORE, *MM)), 'mmsegmentation')
    code, report = check(tmp_path)
    assert code == 1 and 'uninstall -y mmsegmentation onedl-mmcv' in report


def test_old_torch(tmp_path):
    """A torch below the supported versions is refused by its number."""
    code, report = check(make_site(tmp_path, CORE, torch='2.0.1'))
    assert code == 1 and '2.6' in report
    assert state_of(report, 'torch') == 'FAILED'
