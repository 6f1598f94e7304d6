"""Print the table of a results file, docs/results/small_targets.jsonl: a line a trial.

Trials that differ in their seed alone make one row: the mean, and how far the seeds lie
apart. Of the scores along a run the last counts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

from dugi_mae.cli import run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.files import read_lines

#: What tells rows apart, and what is averaged over seeds.
KEYS, SCORES = ('config', 'data', 'train', 'split'), ('IoU', 'nIoU', 'Pd', 'Fa')


def read_trials(path: Path) -> list[dict]:
    """The trials of a file.

    Raises:
        DuGIError: If a line is not a trial.
    """
    trials = []
    lines = read_lines(path, 'results file', 'correct the path')
    for number, line in enumerate(lines, 1):
        try:
            trial = json.loads(line)
            trial = {k: trial[k] for k in (*KEYS, *SCORES, 'seed', 'steps')} | trial
        except (ValueError, KeyError, TypeError) as error:
            raise DuGIError(
                f'{path}, trial {number}: {error} is missing or wrong: correct the line'
            ) from None
        trials.append(trial)
    return trials


def make_rows(trials: list[dict]) -> list[dict[str, str]]:
    """One row for trials that differ in seed and steps, from the last step of each."""
    groups: dict[tuple, dict[int, dict]] = {}
    for trial in trials:
        seeds = groups.setdefault(tuple(trial[key] for key in KEYS), {})
        last = seeds.setdefault(trial['seed'], trial)
        if trial['steps'] >= last['steps']:
            seeds[trial['seed']] = trial
    rows = []
    for key, seeds in groups.items():
        row = dict(zip(KEYS, key, strict=True), seeds=str(len(seeds)))
        row['steps'] = str(max(trial['steps'] for trial in seeds.values()))
        minutes = [t['minutes'] for t in seeds.values() if 'minutes' in t]
        row['min'] = f'{mean(minutes):.0f}' if minutes else ''
        for score in SCORES:
            values = [trial[score] for trial in seeds.values()]
            spread = f' ({min(values):.1f} to {max(values):.1f})' if values[1:] else ''
            row[score] = f'{mean(values):.1f}{spread}'
        rows.append(row)
    return rows


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', type=Path, help='one JSON object a line')
    parser.add_argument('--split', help='rows of this split only: val, test')
    args = parser.parse_args()
    rows = make_rows(read_trials(args.file))
    rows = [row for row in rows if args.split in (None, row['split'])]
    if not rows:
        raise DuGIError(f'{args.file} has no trial with split={args.split}')
    print('| ' + ' | '.join(rows[0]) + ' |')
    print('|' + '---|' * len(rows[0]))
    for row in rows:
        print('| ' + ' | '.join(row.values()) + ' |')


if __name__ == '__main__':
    run_cli(main)
