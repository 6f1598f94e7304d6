"""The core needs torch alone, its modules form no circle, and hosts may be missing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOSTS = ('mmengine', 'mmcv', 'mmpretrain', 'mmdet', 'mmseg')
#: What knows OpenMMLab; all else is the core.
LOWER = ('mm', 'mmpretrain', 'mmdet', 'mmseg', 'apis', 'cli')
MODULES = {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): (
        path
    )
    for path in sorted((ROOT / 'dugi_mae').rglob('*.py'))
}
CORE = [name for name in MODULES if name.split('.')[1:2] not in [[x] for x in LOWER]]

#: Makes modules of some names impossible to import.
BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Block())
"""


def run(code: str, blocked: tuple[str, ...]) -> str:
    """What code prints in a fresh interpreter that lacks some packages."""
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', BLOCK.format(names=blocked) + code],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_an_image_becomes_maps_without_openmmlab(tmp_path):
    """Encoder, pre-training, reading and writing; and the import alone is small."""
    blocked = (*HOSTS, 'matplotlib', 'scipy', 'skimage', 'torchvision', 'pycocotools')
    code = f"""
import dugi_mae
for name in ('cv2', 'tifffile', 'PIL', 'yaml'):
    assert name not in sys.modules, name
import cv2, numpy, torch
cv2.imwrite({str(tmp_path / 'x.png')!r}, numpy.full((64, 96), 9000, numpy.uint16))
encoder = dugi_mae.create_encoder('tiny', pretrained=True).eval()
image = dugi_mae.load_infrared({str(tmp_path / 'x.png')!r})
maps = encoder(encoder.prepare(image))
model = dugi_mae.create_pretrainer('tiny', in_channels=1)
model(model.prepare(image)).backward()
from dugi_mae.checkpoints.io import write_checkpoint
path = {str(tmp_path / 'x.safetensors')!r}
write_checkpoint(dict(state_dict=model.state_dict()), path)
dugi_mae.create_encoder('tiny', pretrained=path, in_channels=1)
print(*(tuple(x.shape) for x in maps))
"""
    assert run(code, blocked).strip().endswith('(1, 192, 2, 3)')


def test_every_module_of_the_core_imports_without_openmmlab():
    """One by one, as a user of a part would; so do tools that read no config."""
    code = f"""
import importlib
for name in {[*CORE, 'dugi_mae.cli']}:
    importlib.import_module(name)
print('light')
"""
    blocked = (*HOSTS, 'matplotlib', 'scipy', 'skimage')
    assert run(code, blocked).split()[-1] == 'light'


def test_a_missing_host_is_named():
    """Pre-training needs neither mmdet nor mmseg; their entry modules say so."""
    pytest.importorskip('mmpretrain')
    code = """
import dugi_mae.mmpretrain
from mmpretrain.registry import MODELS
arch = dict(embed_dims=(8, 12, 16), depths=(1, 1, 1), num_heads=2)
MODELS.build(dict(type='ConvViT', arch=arch))
MODELS.build(dict(type='MaskedConvViT', arch=arch))
for host in ('mmdet', 'mmseg'):
    try:
        __import__(f'dugi_mae.{host}')
    except ImportError as error:
        assert error.name == host, error
    else:
        raise AssertionError(f'dugi_mae.{host} came up without its host')
print('light')
"""
    assert run(code, ('mmdet', 'mmseg')).split()[-1] == 'light'


def imports(name: str, everywhere: bool) -> set[str]:
    """The modules that a module names in its imports, absolute.

    Args:
        name: The module.
        everywhere: Those inside functions and for type checkers, too.
    """
    path, found = MODULES[name], set()
    parents = name.split('.') if path.name == '__init__.py' else name.split('.')[:-1]
    nodes = list(ast.parse(path.read_text()).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = '.'.join([*base, *([node.module] if node.module else [])])
            below = {f'{module}.{alias.name}' for alias in node.names}
            found |= (below & MODULES.keys()) or {module}
        elif everywhere or (
            isinstance(node, (ast.If, ast.Try))
            and 'TYPE_CHECKING' not in ast.unparse(node).splitlines()[0]
        ):
            nodes += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize('name', CORE)
def test_the_core_does_not_know_openmmlab(name):
    """No import of a host or of what is built on hosts, inside functions neither."""
    below = tuple(f'dugi_mae.{part}' for part in LOWER)
    known = {
        module
        for module in imports(name, everywhere=True)
        if module.split('.')[0] in HOSTS
        or any(f'{module}.'.startswith(f'{part}.') for part in below)
    }
    # The one door from above, which a caller opens.
    assert known <= ({'dugi_mae.mm.safe_loading'} if name == 'dugi_mae' else set())


def test_no_circle_of_imports():
    """Modules can be put in an order in which each needs earlier ones alone."""
    needs = {
        name: (imports(name, everywhere=False) & MODULES.keys()) - {name}
        for name in MODULES
    }
    while free := [name for name, needed in needs.items() if not needed & needs.keys()]:
        for name in free:
            del needs[name]
    assert not needs
