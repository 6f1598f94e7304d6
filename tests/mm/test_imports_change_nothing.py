"""Our imports register, and change nothing else in any host or in the process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

SNAPSHOT = Path(__file__).with_name('import_snapshot.py')
ROOT = SNAPSHOT.parents[2]
ENTRIES = [f'dugi_mae.{host}' for host in ('mmpretrain', 'mmdet', 'mmseg')]
#: What an import may do to others, and how the comparison calls it.
CHANGES = {
    'mmengine.runner.Runner.train': 'mmengine.runner.Runner.train = print',
    'mmengine.runner.Runner: its names': 'mmengine.runner.Runner.ours = 1',
    'mmengine.runner.CheckpointLoader._schemes': (
        "mmengine.runner.CheckpointLoader.register_scheme('ours://', print)"
    ),
    'mmcv.image.io.imread': 'import mmcv.image.io; mmcv.image.io.imread = print',
    'environment': "os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'",
    'at fork': 'os.register_at_fork(before=print)',
    'warnings': "import warnings; warnings.simplefilter('ignore')",
    'logger root': 'import logging; logging.root.addHandler(logging.NullHandler())',
    'denormals': 'torch.set_flush_denormal(True)',
    'random of torch': 'torch.rand(1)',
}


def test_imports_change_nothing(tmp_path):
    """Each of them, after the hosts; registries, hub and file backends apart.

    The comparison compares: it sees what a module does that does all that is forbidden.
    """
    code = ['import os, torch, mmengine.runner', *CHANGES.values()]
    (tmp_path / 'bad_manners.py').write_text('\n'.join(code))
    installed = [x for x in ENTRIES if importlib.util.find_spec(x.rpartition('.')[2])]
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', SNAPSHOT]
        + ['dugi_mae', *installed, 'bad_manners'],
        env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{tmp_path}'},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    *lines, last = result.stdout.splitlines()
    assert int(last.removeprefix('compared ')) > 10_000
    # The hosts print, too.
    changes = [line.split(' changed ') for line in lines if ' changed ' in line]
    assert {module for module, _ in changes} == {'bad_manners'}
    assert {what for _, what in changes} >= set(CHANGES)
