"""Run a tool of the OpenMMLab host that a config is for, on that config.

    python tools/host_tool.py browse_dataset CONFIG --output-dir DIR --not-show
    python tools/host_tool.py --host mmdet analyze_logs cal_train_time LOG.json
    python tools/host_tool.py --list

The hosts ship their tools inside their packages, where no path leads to them. The host
is that of the config's ``default_scope``; ``--host`` names it for tools that take no
config. What comes after the name goes to the tool: ``host_tool.py --host HOST NAME
--help`` prints its own help.
"""

from __future__ import annotations

import argparse
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from dugi_mae.cli import read_config, run_cli
from dugi_mae.errors import DuGIError, check_choice

HOSTS = ('mmdet', 'mmseg', 'mmpretrain')
#: Ours, because the hosts' need an unsafe load or know nothing of our checkpoints.
OURS = {
    'train': 'tools/train.py',
    'test': 'tools/test.py',
    'publish_model': 'tools/model_converters/publish_model.py',
}


def parse_args() -> argparse.Namespace:
    """Parse ``host_tool.py [--host HOST] NAME [ARGUMENT ...]``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--host', choices=HOSTS, help='whose tool to run')
    parser.add_argument('--list', action='store_true', help='print the names and stop')
    parser.add_argument('name', nargs='?', help='file name of the tool without .py')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help='of the tool')
    return parser.parse_args()


def tools_of(host: str) -> dict[str, Path]:
    """Name -> file of each tool that a host ships; empty if it is not installed."""
    spec = importlib.util.find_spec(host)
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / '.mim' / 'tools'
    files = sorted(folder.rglob('*.py'), key=lambda p: len(p.parts), reverse=True)
    # Of two files of one name the one further up counts: mot/browse_dataset.py is not
    # what `browse_dataset` means. mmseg has a second one as deep as the first.
    files += [file for file in files if file.parent.name == 'analysis_tools']
    tools = {file.stem: file for file in files}
    return {name: tools[name] for name in sorted(tools) if name not in OURS}


def host_of(arguments: Sequence[str]) -> str:
    """The host that the config among the arguments is for.

    Raises:
        DuGIError: If there is no config, or it names no host.
    """
    config = next((a for a in arguments if a.endswith('.py')), None)
    if config is None:
        raise DuGIError('no config among the arguments: name --host before the tool')
    host = read_config(config).get('default_scope')
    check_choice(f'default_scope of {config}', host, HOSTS)
    return host


def find_tool(name: str, host: str) -> Path:
    """File of a host's tool.

    Raises:
        DuGIError: If the host is not installed or has no such tool.
    """
    if name in OURS:
        raise DuGIError(f'{name} of the hosts is not for our configs: use {OURS[name]}')
    tools = tools_of(host)
    if not tools:
        raise DuGIError(f'{host} is not installed or ships no tools: see README.md')
    check_choice(f'tool of {host}', name, tools)
    return tools[name]


def main() -> None:
    """Find the tool and run it as if it had been called by its path."""
    args = parse_args()
    if args.list:
        for host in [args.host] if args.host else HOSTS:
            print(f'{host}: {" ".join(tools_of(host)) or "not installed"}')
        return
    if args.name is None:
        raise DuGIError('name a tool: see host_tool.py --list')
    tool = find_tool(args.name, args.host or host_of(args.arguments))
    sys.argv = [str(tool), *args.arguments]
    # As for a script: some tools import their neighbours.
    sys.path.insert(0, str(tool.parent))
    runpy.run_path(str(tool), run_name='__main__')


if __name__ == '__main__':
    run_cli(main)
