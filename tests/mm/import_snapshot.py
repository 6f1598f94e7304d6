"""What importing modules changes in the hosts and in the process, one line a change.

    python import_snapshot.py MODULE ...

Run by ``test_imports_change_nothing.py`` in a fresh interpreter.
"""

from __future__ import annotations

import os

forks: list[dict] = []
# First of all, to count who asks for a call at every fork.
os.register_at_fork = lambda **handlers: forks.append(handlers)

import atexit  # noqa: E402
import builtins  # noqa: E402
import importlib  # noqa: E402
import logging  # noqa: E402
import pickle  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import types  # noqa: E402
import warnings  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

#: What a host is used through; every module that is loaded by these is compared.
HOSTS = {
    'mmengine': 'runner hooks fileio visualization infer evaluator logging model',
    'mmcv': 'image transforms ops',
    'mmpretrain': 'models datasets apis visualization engine evaluation',
    'mmdet': 'models datasets apis visualization engine evaluation structures',
    'mmseg': 'models datasets apis visualization engine evaluation structures',
}
#: Classes whose tables are there to be added to.
TABLES = ('Registry', 'ModelHub', 'DefaultScope')
#: The tables of file backends, and what Python itself writes.
IGNORED = ('backends', 'prefix_to_backends', '__warningregistry__', '__slotnames__')


def content(value: object) -> object:
    """Its identity, and of plain containers also what they hold."""
    if isinstance(value, dict):
        return id(value), {repr(k): id(v) for k, v in list(value.items())}
    if isinstance(value, (list, set, tuple)):
        return id(value), sorted(map(id, value))
    return id(value)


def members(owner: object) -> dict[str, object]:
    """Attributes of a module or class, without a package's submodules."""
    return {
        name: value
        for name, value in list(vars(owner).items())
        if not isinstance(value, types.ModuleType) and name not in IGNORED
    }


def hosts() -> dict[str, object]:
    """Every attribute of every module and class of the hosts, by name."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.split('.')[0] not in HOSTS:
            continue
        owners = {name: module}
        for key, value in members(module).items():
            if isinstance(value, type) and value.__name__ not in TABLES:
                owners[f'{name}.{key}'] = value
        for owner, value in owners.items():
            attributes = members(value)
            found[f'{owner}: its names'] = set(attributes)
            found |= {f'{owner}.{k}': content(v) for k, v in attributes.items()}
    return found


def process() -> dict[str, object]:
    """What all code of a process shares."""
    found = {
        'environment': dict(os.environ),
        'folder': os.getcwd(),
        'path': list(sys.path),
        'finders': list(map(repr, sys.meta_path)),
        'hooks': [sys.excepthook, sys.displayhook, threading.excepthook],
        'signals': [signal.getsignal(s) for s in signal.valid_signals()],
        'threads': threading.active_count(),
        'at exit': atexit._ncallbacks(),
        'at fork': len(forks),
        'functions': [open, builtins.__import__, pickle.load, pickle.Unpickler],
        'warnings': list(map(repr, warnings.filters)),
        'torch functions': [torch.load, torch.save, torch.hub.load_state_dict_from_url],
        'safe globals': list(map(repr, torch.serialization.get_safe_globals())),
        'default dtype': torch.get_default_dtype(),
        'threads of torch': (torch.get_num_threads(), torch.get_num_interop_threads()),
        'gradients': torch.is_grad_enabled(),
        'denormals': (torch.tensor([1e-40]) * 1).item() > 0,
        'deterministic': torch.are_deterministic_algorithms_enabled(),
        'precision': torch.get_float32_matmul_precision(),
        'cudnn': [torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32],
        'sharing': torch.multiprocessing.get_sharing_strategy(),
        'start method': torch.multiprocessing.get_start_method(allow_none=True),
        'threads of cv2': cv2.getNumThreads(),
        'errors of NumPy': np.geterr(),
        'printing of NumPy': repr(np.get_printoptions()),
        'random': (random.getstate(), repr(np.random.get_state())),
        'random of torch': torch.get_rng_state().tolist(),
    }
    for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            state = list(logger.handlers), list(logger.filters), logger.level
            found[f'logger {logger.name}'] = state
    return found


def main() -> None:
    """Import the hosts that are installed, then ours, and print what is different."""
    for host, parts in HOSTS.items():
        if importlib.util.find_spec(host):
            for part in parts.split():
                importlib.import_module(f'{host}.{part}')
    before = hosts() | process()
    for name in sys.argv[1:]:
        importlib.import_module(name)
        after = hosts() | process()
        for key, value in before.items():
            if after.get(key) != value:
                print(f'{name} changed {key}')
        before = after
    print(f'compared {len(before)}')


if __name__ == '__main__':
    main()
