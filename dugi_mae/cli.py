"""What the command-line tools share.

mmengine is imported where it is needed: tools that work without configs do without it.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dugi_mae.errors import DuGIError
from dugi_mae.files import make_folder

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

#: What a launcher sets for each process, and what starts the processes.
_LAUNCHERS = dict(
    pytorch=('RANK', 'tools/dist_train.sh, dist_test.sh or torch.distributed.run'),
    slurm=('SLURM_PROCID', 'tools/slurm_train.sh or srun'),
    mpi=('OMPI_COMM_WORLD_RANK', 'mpirun'),
)
#: Part of what torch says of processes that have ended, and what it means.
_LOST_PROCESSES = {
    'DataLoader worker (pid': 'a process that loads data was killed, often for lack of '
    'memory: lower num_workers of the data loader, then use --resume',
    'by peer': 'another process of this run has ended: see what it '
    'says, then use --resume',
}
#: Keys that Runner and the tools take from a config beside Runner's own arguments.
_TOOL_KEYS = (
    *('auto_scale_lr', 'compile', 'custom_imports', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'runner_type', 'tta_model', 'tta_pipeline'),
)


class _Settings(argparse.Action):
    """``KEY=VALUE``, as in mmengine; argparse names what is not."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        from mmengine.config import DictAction

        parse = DictAction(self.option_strings, self.dest)
        for value in values:
            try:
                parse(parser, namespace, [value], option_string)
            except (ValueError, AssertionError) as error:
                raise argparse.ArgumentError(
                    self, f'{value!r} is not KEY=VALUE with every bracket closed'
                ) from error


#: The flag that overrides settings, for ``parser.add_argument('--cfg-options', ...)``.
CFG_OPTIONS = dict(
    nargs='+',
    action=_Settings,
    metavar='KEY=VALUE',
    help='override settings of the config, for example optim_wrapper.optimizer'
    '.lr=1e-4; lists as key="[a,b]" or key=a,b',
)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing have in every OpenMMLab host."""
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and pictures')
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    parser.add_argument(
        '--launcher',
        choices=['none', *_LAUNCHERS],
        default='none',
        help='job launcher',
    )
    # torch.distributed.run sets LOCAL_RANK; older launchers pass this flag.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def at_least(low: int) -> Callable[[str], int]:
    """A type for ``parser.add_argument``: integers from ``low`` on."""

    def integer(text: str) -> int:
        number = int(text)
        if number < low:
            raise argparse.ArgumentTypeError(f'{number} is less than {low}')
        return number

    integer.__name__ = 'int'  # what argparse calls it where there is no number
    return integer


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Raises:
        DuGIError: If it does not exist (the message suggests the nearest one), is a
            folder, or is no config that can be read.
    """
    from mmengine.config import Config

    path = Path(path)
    if path.is_dir():
        raise DuGIError(f'config {path} is a folder: name the .py file in it')
    if not path.is_file():
        found = [*path.parent.glob('*.py'), *Path('configs').rglob('*.py')]
        names = [str(p) for p in found]
        near = difflib.get_close_matches(str(path), names, n=1, cutoff=0.3)
        hint = f': did you mean {near[0]}?' if near else ': check the path'
        raise DuGIError(f'config {path} does not exist{hint}')
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is Python, which may raise anything
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise DuGIError(
            f'config {path} cannot be read ({reason}): correct it, or what it is based '
            'on; DUGI_DEBUG=1 shows where'
        ) from error


def override(config: Config, options: dict | None) -> None:
    """Merge the settings of ``--cfg-options`` into a config.

    mmengine adds a key that it does not know, and nothing ever reads it.

    Args:
        config: Changed in place.
        options: Values by dotted key; ``None`` changes nothing.

    Raises:
        DuGIError: If the first part of a key is none that a config has (the message
            suggests the nearest one), or the others lead nowhere.
    """
    if not options:
        return
    from mmengine.runner import Runner

    known = {*config, *inspect.signature(Runner).parameters, *_TOOL_KEYS}
    for key in options:
        first = key.split('.')[0]
        if first not in known:
            near = difflib.get_close_matches(first, known, n=1)
            hint = f'did you mean {near[0]!r}?' if near else 'correct --cfg-options'
            raise DuGIError(f'config {config.filename} has no key {first!r}: {hint}')
    try:
        config.merge_from_dict(options)
    except Exception as error:
        if len(options) > 1:  # mmengine does not say which: one by one they do
            for key, value in options.items():
                override(config, {key: value})
        settings = ' '.join(f'{key}={value}' for key, value in options.items())
        reason = ' '.join(map(str, error.args))  # str of a KeyError has quotes
        reason = textwrap.shorten(reason, 100, placeholder=' ...')
        raise DuGIError(
            f'{settings} cannot be set in config {config.filename} ({reason}): correct '
            '--cfg-options'
        ) from error


def load_config(args: argparse.Namespace) -> Config:
    """Read the config of parsed arguments, apply the common flags, make the work dir.

    Raises:
        DuGIError: If the config does not exist or cannot be read, the launcher did not
            start this process, or the work dir cannot be made.
    """
    variable, programs = _LAUNCHERS.get(args.launcher, (None, ''))
    if variable and variable not in os.environ:
        raise DuGIError(
            f'--launcher {args.launcher} needs {variable} in the environment of each '
            f'process: start through {programs}'
        )
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # Numbers below 1e-38 cost a CPU a hundred times the time of others. Fresh encoders
    # make many: a step of SIRST from random weights took three times as long.
    torch.set_flush_denormal(True)
    config = read_config(args.config)
    config.launcher = args.launcher
    override(config, args.cfg_options)
    if args.launcher == 'pytorch' and not torch.cuda.is_available():
        join_cpu_group(config)
    if args.work_dir:
        config.work_dir = args.work_dir
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    make_folder(config.work_dir)
    for name in ('train', 'val', 'test'):
        loader = config.get(f'{name}_dataloader') or {}
        if loader.get('num_workers') == 0:  # torch refuses what cannot persist
            loader.persistent_workers = False
    return config


def join_cpu_group(config: Config) -> None:
    """Let a distributed run work without a GPU, which mmengine's own launch needs."""
    torch.distributed.init_process_group('gloo')
    wrapper = dict(
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=config.get('find_unused_parameters', False),
    )
    config.model_wrapper_cfg = wrapper | (config.get('model_wrapper_cfg') or {})


def build_runner(config: Config) -> Runner:
    """Build the runner that a config asks for."""
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    # Workers would miss it where a config, such as one of classes, has no entry module.
    from dugi_mae.mm import file_backends  # noqa: F401

    build = RUNNERS.build if 'runner_type' in config else Runner.from_cfg
    return build(config)


def run_cli(main: Callable[[], None]) -> None:
    """Run a tool; bad input ends it with one line instead of a traceback.

    Set ``DUGI_DEBUG=1`` to see the traceback.
    """
    try:
        if '' in sys.argv[1:]:
            # As a path it would be the working folder.
            raise DuGIError(
                f'argument {sys.argv.index("", 1)} is empty: give a path or a value, '
                'or set the variable of the shell that it comes from'
            )
        main()
    except RuntimeError as error:
        lost = (line for part, line in _LOST_PROCESSES.items() if part in str(error))
        line = next(lost, None)
        if os.environ.get('DUGI_DEBUG') or line is None:
            raise
        sys.exit(f'DuGIError: {line}')
    except DuGIError as error:
        if os.environ.get('DUGI_DEBUG'):
            raise
        # A data-loading worker wraps the message in its own traceback; the last line
        # is what was meant.
        lines = str(error).strip().splitlines()
        message = re.sub(r'^dugi_mae\.errors\.\w+: ', '', lines[-1])
        sys.exit(f'DuGIError: {message}')
