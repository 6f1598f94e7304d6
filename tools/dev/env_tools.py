"""What the environment's scripts share: names, a lock, and running pip."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / 'requirements'
LOCK = REQUIREMENTS / 'lock.txt'


class EnvError(Exception):
    """The environment cannot be made. The message says why and what to do."""


def say(text: str) -> None:
    """Tell the person who waits; stdout belongs to the interpreter's path."""
    print(text, file=sys.stderr, flush=True)


def env_root() -> Path:
    """The folder that holds the bases and the compiled wheels."""
    chosen = os.environ.get('DUGI_ENV_ROOT')
    return Path(chosen or '~/.cache/dugi_mae/envs').expanduser().resolve()


def python_tag() -> str:
    """For example ``py3.11-x86_64``: what an installed package depends on."""
    major, minor = sys.version_info[:2]
    return f'py{major}.{minor}-{platform.machine()}'


def python_of(env: Path) -> Path:
    """The interpreter of a virtual environment."""
    return env / 'bin' / 'python'


def digest(*texts: str) -> str:
    """A short hash of texts, to name a folder by."""
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()[:12]


def pinned(name: str) -> str:
    """``name==version`` as the lock has it."""
    for line in LOCK.read_text(encoding='utf-8').splitlines():
        if line.startswith(f'{name}=='):
            return line.split(';')[0].strip()
    raise EnvError(f'{name} has no line in {LOCK}: add one')


def clean_environ(**changes: str) -> dict[str, str]:
    """The process environment without what would leak other packages in."""
    leaks = ('PYTHONPATH', 'PYTHONHOME')
    kept = {key: value for key, value in os.environ.items() if key not in leaks}
    return {**kept, 'PYTHONNOUSERSITE': '1', **changes}


def runs(python: Path, *arguments: str) -> bool:
    """Whether an interpreter exists, starts and succeeds at something, silently."""
    try:
        done = subprocess.run(
            [str(python), *arguments], capture_output=True, env=clean_environ()
        )
    except OSError:
        return False
    return done.returncode == 0


def pip(python: Path, *arguments: str, what: str) -> None:
    """Run pip, with its output on stderr.

    Args:
        python: The interpreter whose environment it works on.
        *arguments: Its sub-command and options.
        what: What is being done, for the message of a failure.

    Raises:
        EnvError: If pip fails.
    """
    # On a slow line a download of gigabytes takes longer to answer than pip expects.
    options = ['--retries', '6', '--timeout', '60', '--disable-pip-version-check']
    # A person sees what is downloaded, a log file only what goes wrong.
    options += [] if sys.stderr.isatty() else ['--quiet']
    done = subprocess.run(
        [str(python), '-m', 'pip', *options, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        # Warnings of build back-ends are for those who package, not who install.
        env=clean_environ(PYTHONWARNINGS='ignore'),
    )
    if done.returncode:
        raise EnvError(f'{what} failed, see above')


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time build below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f'waiting for another process that builds in {folder}')
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
