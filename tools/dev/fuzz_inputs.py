"""Damage images, masks, annotations, split lists, checkpoints and configs at random.

    python tools/dev/fuzz_inputs.py --cases 2000
    python tools/dev/fuzz_inputs.py --seed 0 --category image --case 17

Each case makes a small good file or config, damages it and uses it as users do. It must
end in success or in a ``DuGIError`` of one line that names the file or the key. Any
other exception, a crash of the process and one that does not end are failures. A case
depends on nothing but seed, category and number, so that it can be run again alone.
Needs no data and no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

# Before torch is imported: a fork must not inherit a pool of threads.
os.environ.update(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
# The folder of verify.py, which checks images in processes that may crash, too.
sys.path.append(str(Path(__file__).resolve().parents[1] / 'dataset_converters'))

import numpy as np
import torch
from fuzz.annotations import fuzz_annotation, fuzz_split
from fuzz.checkpoints import fuzz_checkpoint
from fuzz.configs import fuzz_config
from fuzz.images import fuzz_image, fuzz_mask
from fuzz.trial import Trial
from processes import Crash, map_despite_crashes
from tqdm import tqdm

from dugi_mae.cli import at_least
from dugi_mae.errors import DuGIError

CATEGORIES: dict[str, Callable[[Trial], None]] = dict(
    image=fuzz_image,
    mask=fuzz_mask,
    annotation=fuzz_annotation,
    split=fuzz_split,
    checkpoint=fuzz_checkpoint,
    config=fuzz_config,
)
#: Address space of a case beyond what its process has at the start, in bytes.
MEMORY = 2**29
STATUSES = ('success', 'refused', 'failed')


class Case(NamedTuple):
    """What a case depends on, and where its files go."""

    seed: int
    category: str
    number: int
    folder: Path

    @property
    def flags(self) -> str:
        """Flags that run this case again."""
        return f'--seed {self.seed} --category {self.category} --case {self.number}'


class Outcome(NamedTuple):
    """One of :data:`STATUSES`, what was changed, and the error."""

    status: str
    notes: str
    error: str = ''


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Send what libraries write to the terminal, C code included, to nowhere."""
    with open(os.devnull, 'w') as nowhere, contextlib.ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number in (1, 2):
            stack.callback(os.dup2, os.dup(number), number)
            os.dup2(nowhere.fileno(), number)
        yield
        sys.stdout.flush()


def run_case(case: Case) -> Outcome:
    """Run one case in this process."""
    rng = random.Random(f'{case.seed}/{case.category}/{case.number}')
    np.random.seed(rng.getrandbits(32))
    torch.manual_seed(rng.getrandbits(32))
    case.folder.mkdir(parents=True)
    trial = Trial(rng, case.folder, [str(case.folder)])
    status, error = 'success', ''
    try:
        with silence():
            CATEGORIES[case.category](trial)
    except DuGIError as refusal:
        status, error = 'refused', str(refusal)
        if '\n' in error or not any(name in error for name in trial.names):
            error = f'no line that names one of {trial.names}: {error}'
            status = 'failed'
    except BaseException:
        status, error = 'failed', traceback.format_exc()
    return Outcome(status, '; '.join(trial.notes), error)


def serve_case(case: Case) -> Outcome:
    """Run one case in a process of its own kind, which may crash."""
    # What asks for too much memory is to fail instead of the machine.
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    return run_case(case)


def as_outcome(result: Outcome | Crash, timeout: float) -> Outcome:
    """What came of a case, if only that its process ended."""
    if isinstance(result, Outcome):
        return result
    code = f'the process ended (exit code {result.code})'
    end = f'no end after {timeout:g} s' if result.timed_out else code
    return Outcome('failed', '', end)


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cases', type=at_least(1), default=2000, help='in all')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--jobs', type=at_least(1), default=1, help='processes')
    parser.add_argument('--timeout', type=float, default=60, help='seconds a case')
    parser.add_argument('--category', choices=CATEGORIES, help='this one alone')
    parser.add_argument(
        '--case', type=int, help='this one alone; its files are kept and named'
    )
    args = parser.parse_args()
    if args.case is not None and args.category is None:
        parser.error('--case is a number in one category: name it with --category')
    return args


def choose_cases(args: argparse.Namespace, folder: Path) -> list[Case]:
    """The cases that the flags ask for, evenly of all categories."""
    names = [args.category] if args.category else list(CATEGORIES)
    cases = [(names[i % len(names)], i // len(names)) for i in range(args.cases)]
    if args.case is not None:
        cases = [(args.category, args.case)]
    return [Case(args.seed, *case, folder / '{}-{}'.format(*case)) for case in cases]


def print_table(outcomes: dict[Case, Outcome]) -> None:
    """Count by category and status."""
    counts = Counter((case.category, out.status) for case, out in outcomes.items())
    counts += Counter(('all', out.status) for out in outcomes.values())
    print(f'{"category":<12}{"cases":>8}{"success":>9}{"refused":>9}{"failed":>8}')
    for name in (*CATEGORIES, 'all'):
        success, refused, failed = (counts[name, status] for status in STATUSES)
        if total := success + refused + failed:
            print(f'{name:<12}{total:>8}{success:>9}{refused:>9}{failed:>8}')


def main() -> None:
    """Run the cases, print each failure and the counts."""
    args = parse_args()
    alone = args.case is not None
    with tempfile.TemporaryDirectory(prefix='fuzz-') as name:
        folder = Path(tempfile.mkdtemp('-fuzz') if alone else name)
        cases = choose_cases(args, folder)
        results = map_despite_crashes(serve_case, cases, args.jobs, args.timeout)
        outcomes = {}
        for case, result in tqdm(results, 'cases', len(cases)):
            outcome = outcomes[case] = as_outcome(result, args.timeout)
            if outcome.status == 'failed' or alone:
                tqdm.write(f'{outcome.status} ({outcome.notes})\n{outcome.error}')
                tqdm.write(f'again: python tools/dev/fuzz_inputs.py {case.flags}\n')
    if alone:
        print(f'files: {folder}')
    print_table(outcomes)
    sys.exit(any(outcome.status == 'failed' for outcome in outcomes.values()))


if __name__ == '__main__':
    main()
