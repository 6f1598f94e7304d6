"""Getting mmcv with its operators: from a wheel if one fits, else by compiling it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from env_tools import (
    ROOT,
    EnvError,
    clean_environ,
    env_root,
    pinned,
    pip,
    python_of,
    python_tag,
    runs,
    say,
)

REPORT_EVERY = 30.0
# The library is loaded by itself: what mmcv imports is not installed at this point.
LOAD_OPERATORS = """
import glob, importlib.util as u, torch
folder = u.find_spec('mmcv').submodule_search_locations[0]
spec = u.spec_from_file_location('_ext', glob.glob(folder + '/_ext*.so')[0])
spec.loader.exec_module(u.module_from_spec(spec))
"""


def install_mmcv(base: Path) -> None:
    """Install mmcv with its operators, compiled here when no wheel fits."""
    own = wheel_folder()
    if any(install_wheel(base, folder) for folder in [*find_links(), own]):
        return
    compile_wheel(base, own)
    if not install_wheel(base, own):
        raise EnvError(f'the mmcv wheel in {own} does not load: remove that folder')


def find_links() -> list[Path]:
    """The folder in which a compiled mmcv may lie, if there is one."""
    chosen = os.environ.get('DUGI_FIND_LINKS', str(ROOT.parent / 'shared' / 'wheels'))
    folder = Path(chosen).expanduser().resolve()
    return [folder] if chosen and folder.is_dir() else []


def wheel_folder() -> Path:
    """Where the wheel compiled here is kept; other bases with this torch use it too."""
    torch = pinned('torch').replace('==', '')
    device = 'cuda' if can_build_cuda() else 'cpu'
    return env_root() / 'mmcv' / f'{python_tag()}-{torch}-{device}'


def can_build_cuda() -> bool:
    """Whether both a GPU and its compiler are here."""
    return bool(shutil.which('nvcc')) and runs(Path('nvidia-smi'), '-L')


def install_wheel(base: Path, folder: Path) -> bool:
    """Install mmcv from a folder of wheels, if one of them fits and its ops load."""
    if not any(folder.glob('*.whl')):
        return False
    options = ['--no-deps', '--no-index', '--only-binary=:all:', '--force-reinstall']
    command = ['-m', 'pip', 'install', *options, f'--find-links={folder}']
    if not runs(python_of(base), *command, pinned('onedl-mmcv')):
        say(f'  no wheel in {folder} fits this Python')
        return False
    if not runs(python_of(base), '-c', LOAD_OPERATORS):
        say(f'  the mmcv wheel in {folder} does not load with {pinned("torch")}')
        return False
    say(f'  from the wheel in {folder}')
    return True


def compile_wheel(base: Path, folder: Path) -> None:
    """Compile the mmcv wheel into a folder.

    The source tree stays there until the wheel is whole: what an interrupted run has
    compiled, the next one finds.
    """
    check_compiler()
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / 'source'
    if not source.is_dir():
        fetch_source(base, source)

    cuda = can_build_cuda()
    jobs = os.environ.get('MAX_JOBS') or str(os.cpu_count() or 1)
    say(
        f'  compiling {"CUDA and CPU" if cuda else "CPU"} operators with {jobs} jobs: '
        f'about 18 minutes on 2 cores{", longer for CUDA" if cuda else ""}. '
        'This happens once, and may be interrupted and continued.'
    )
    environ = clean_environ(MMCV_WITH_OPS='1', FORCE_CUDA=str(int(cuda)), MAX_JOBS=jobs)
    # torch calls ninja by name, and the base's own programs are not on PATH.
    environ['PATH'] = os.pathsep.join([str(base / 'bin'), environ.get('PATH', '')])
    if not cuda:
        # With a GPU in sight but no nvcc, mmcv would try CUDA and fail.
        environ['CUDA_VISIBLE_DEVICES'] = ''
    command = [str(python_of(base)), '-m', 'pip', 'wheel', '-v', '--no-deps']
    run_with_progress(
        [*command, '--no-build-isolation', f'--wheel-dir={folder}', str(source)],
        environ=environ,
        log=folder / 'compile.log',
        build=source / 'build',
    )
    shutil.rmtree(source)


def check_compiler() -> None:
    """Say what is missing before minutes are spent on finding out."""
    way_out = 'or name a folder with a compiled wheel in DUGI_FIND_LINKS'
    if not shutil.which(os.environ.get('CXX', 'c++')) and not shutil.which('g++'):
        raise EnvError(
            'mmcv must be compiled and there is no C++ compiler: install one '
            f'(g++ or build-essential), {way_out}'
        )
    if not Path(sysconfig.get_path('include'), 'Python.h').is_file():
        raise EnvError(
            "mmcv must be compiled and Python's headers are missing: install them "
            f'(python3-dev), {way_out}'
        )


def fetch_source(base: Path, target: Path) -> None:
    """Fetch and unpack mmcv's source; ``target`` exists only when it is whole."""
    say('  fetching the source')
    half = target.with_name('fetched')
    shutil.rmtree(half, ignore_errors=True)
    options = ['--no-deps', '--no-build-isolation', '--no-binary=:all:']
    pip(
        *(python_of(base), 'download', *options, f'--dest={half}'),
        pinned('onedl-mmcv'),
        what='fetching the source of mmcv',
    )
    archive = next(half.iterdir())
    shutil.unpack_archive(archive, half / 'unpacked')
    next((half / 'unpacked').iterdir()).rename(target)
    shutil.rmtree(half)


def run_with_progress(
    command: Sequence[str], environ: dict[str, str], log: Path, build: Path
) -> None:
    """Run a long compilation and say every half minute how far it is."""
    start = time.monotonic()
    with open(log, 'w', encoding='utf-8') as output:
        # A session of its own: whoever stops us must not leave compilers behind.
        process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(REPORT_EVERY)
                minutes = (time.monotonic() - start) / 60
                say(f'  {minutes:5.1f} min: {compiled_files(build)}')
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait()
    if process.returncode:
        tail = log.read_text(encoding='utf-8', errors='replace').splitlines()[-30:]
        say('\n'.join(tail))
        raise EnvError(f'compiling mmcv failed, the whole output is in {log}')


def compiled_files(build: Path) -> str:
    """How far a ninja build is, in words."""
    plans = build.rglob('build.ninja')
    lines = [line for plan in plans for line in plan.read_text().splitlines()]
    total = sum(line.startswith('build ') and '.o:' in line for line in lines)
    done = sum(1 for _ in build.rglob('*.o'))
    return f'{done} of {total} files compiled' if total else 'preparing'
