"""``tools/host_tool.py``: the hosts' own tools on our configs."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet', reason='tools of mmdetection are run')
pytest.importorskip('mmseg', reason='tools of mmsegmentation are run')

from dugi_mae.errors import DuGIError

ROOT = Path(__file__).resolve().parents[2]
DETECTION = 'configs/detection/faster-rcnn_dugi-mae-tiny_fpn_hit-uav.py'
SEGMENTATION = 'configs/segmentation/upernet_dugi-mae-tiny_custom.py'
PRETRAIN = 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'


@pytest.fixture
def tool(monkeypatch) -> dict:
    """Names of the script, as of a module; the working folder is the project's."""
    monkeypatch.chdir(ROOT)
    return runpy.run_path('tools/host_tool.py')


@pytest.mark.parametrize(
    ('config', 'host'),
    [(DETECTION, 'mmdet'), (SEGMENTATION, 'mmseg'), (PRETRAIN, 'mmpretrain')],
)
def test_host_is_that_of_the_config(tool, config, host):
    """``default_scope`` decides, wherever among the arguments the config stands."""
    assert tool['host_of'](['--num-images', '1', config]) == host
    for name in ('browse_dataset', 'get_flops', 'analyze_logs', 'print_config'):
        file = tool['find_tool'](name, host)
        assert file.stem == name
        assert host in file.parts
        assert 'mot' not in file.parts


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['brows_dataset', DETECTION], 'mmdet.*did you mean .browse_dataset'),
        (['get_flops'], 'no config among the arguments: name --host'),
        (['publish_model', DETECTION], 'use tools/model_converters/publish_model.py'),
        ([], 'name a tool: see host_tool.py --list'),
    ],
)
def test_bad_calls(tool, monkeypatch, arguments, message):
    """A typo, no config and a tool that is not for us end in one line of advice."""
    monkeypatch.setattr(sys, 'argv', ['host_tool.py', *arguments])
    with pytest.raises(DuGIError, match=message):
        tool['main']()


def test_a_host_that_is_not_installed(tool, monkeypatch):
    """It is said so."""
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(DuGIError, match='mmdet is not installed'):
        tool['find_tool']('get_flops', 'mmdet')


def test_a_tool_runs_to_its_end():
    """In a process of its own, as a user starts it: it counts FLOPs and parameters."""
    command = ['tools/host_tool.py', 'get_flops', SEGMENTATION, '--shape', '64', '64']
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'Flops:' in done.stdout and 'Params:' in done.stdout
