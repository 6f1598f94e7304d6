"""What the command-line tools share."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config, DictAction

from dugi_mae.errors import DuGIError
from dugi_mae.cli import override, read_config
from dugi_mae.files import make_folder
from dugi_mae.utils.registry import check_data, check_model

#: What a launcher sets for each process, and what starts the processes.
_LAUNCHERS = dict(
    pytorch=('RANK', 'tools/dist_train.sh, dist_test.sh or torch.distributed.run'),
    slurm=('SLURM_PROCID', 'tools/slurm_train.sh or srun'),
    mpi=('OMPI_COMM_WORLD_RANK', 'mpirun'),
)


class _Settings(DictAction):
    """``KEY=VALUE``, as in mmengine; argparse names what is not."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        for value in values:
            try:
                super().__call__(parser, namespace, [value], option_string)
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
    """A type for ``parser.add_argument``: whole numbers from ``low`` on."""

    def whole_number(text: str) -> int:
        number = int(text)
        if number < low:
            raise argparse.ArgumentTypeError(f'{number} is less than {low}')
        return number

    whole_number.__name__ = 'int'  # what argparse calls it where there is no number
    return whole_number


def _check_launcher(launcher: str) -> None:
    """Raise unless this process was started by the launcher that is named."""
    variable, programs = _LAUNCHERS.get(launcher, (None, ''))
    if variable and variable not in os.environ:
        raise DuGIError(
            f'--launcher {launcher} needs {variable} in the environment of each '
            f'process: start through {programs}'
        )


def load_config(args: argparse.Namespace) -> Config:
    """Read the config of parsed arguments, apply the common flags, make the work dir.

    Raises:
        DuGIError: If the config does not exist or cannot be read, a class or key of its
            model or data is unknown, the launcher did not start this process, or the
            work dir cannot be made.
    """
    _check_launcher(args.launcher)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # Numbers below 1e-38 cost a CPU a hundred times the time of others. Fresh encoders
    # make many: a step of SIRST from random weights took three times as long.
    torch.set_flush_denormal(True)
    config = read_config(args.config)
    config.launcher = args.launcher
    override(config, args.cfg_options)
    if args.launcher == 'pytorch' and not torch.cuda.is_available():
        join_cpu_group(config)
    check_model(config)
    check_data(config)
    if args.work_dir:
        config.work_dir = args.work_dir
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    make_folder(config.work_dir)
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


def enable_amp(config: Config) -> None:
    """Switch a config to mixed precision.

    Raises:
        DuGIError: Where no accelerator is found, or another wrapper is configured.
    """
    if not torch.cuda.is_available():
        raise DuGIError(
            '--amp needs a GPU and none was found: leave --amp out to train in fp32'
        )
    wrapper = config.optim_wrapper
    if wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise DuGIError(
            f'--amp does not go with optim_wrapper.type={wrapper.type}: leave one out'
        )
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')


def run_cli(main: Callable[[], None]) -> None:
    """Run a tool; bad input ends it with one line instead of a traceback.

    Set ``DUGI_DEBUG=1`` to see the traceback.
    """
    try:
        main()
    except DuGIError as error:
        if os.environ.get('DUGI_DEBUG'):
            raise
        # A data-loading worker wraps the message in its own traceback; the last line
        # is what was meant.
        lines = str(error).strip().splitlines()
        message = re.sub(r'^dugi_mae\.errors\.\w+: ', '', lines[-1])
        sys.exit(f'DuGIError: {message}')
