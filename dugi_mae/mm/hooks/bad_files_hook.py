"""What the data set skipped: counted, written down, and limited."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from dugi_mae.errors import DuGIError, check_range
from dugi_mae.mm.datasets.bad_files import BadFile, count_reasons

from .reporting import is_reported

#: Name of the list in the work dir.
REPORT = 'bad_files.txt'


@HOOKS.register_module()
class BadFilesHook(Hook):
    """Report the files that a data set skipped, and stop when they are too many.

    A data set with ``skip_bad_files=True``, such as
    :class:`dugi_mae.mm.datasets.InfraredPretrainDataset`, sends what it skipped along
    with the sample that took its place: no worker can lose it, whatever their number.
    Whenever the logger writes, processes add up what they have read. Each bad file, in
    training, validation and test, is then logged once with the total, and is one line
    of ``WORK_DIR/bad_files.txt``: the reason, a tab, the path. The counts
    ``files_read`` and ``bad_files_read`` are in the message hub's runtime info; counts
    and list go on after a resume.

    Registered in mmengine's root.

    Args:
        max_bad_share: Largest share of bad files among those read, 0 to 1; a file
            counts as often as it is read. Beyond it training stops.
        min_files: The share is one of at least so many files, so that a few bad ones
            do not stop a run that has read little: with the defaults, the first ten.

    Raises:
        DuGIError: If an argument is out of range, or when training is stopped.
    """

    priority = 'HIGH'

    def __init__(self, max_bad_share: float = 0.05, min_files: int = 200) -> None:
        check_range('max_bad_share', max_bad_share, 0, 1)
        check_range('min_files', min_files, 1, 10**9)
        self.max_bad_share = max_bad_share
        self.min_files = min_files
        self._read = 0
        self._bad: list[BadFile] = []
        self._known: dict[str, BadFile] = {}

    def before_run(self, runner: Runner) -> None:
        """Know what the list holds."""
        self._report = Path(runner.work_dir) / REPORT
        self._known = {}
        if self._report.is_file():
            for line in self._report.read_text(encoding='utf-8').splitlines():
                reason, _, path = line.partition('\t')
                self._known[path] = BadFile(path, reason, '')

    def before_train(self, runner: Runner) -> None:
        """Begin a new list, unless the run is resumed."""
        if runner.iter == 0:
            self._known = {}
            if runner.rank == 0:
                self._report.unlink(missing_ok=True)

    def _before_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, mode: str = 'train'
    ) -> None:
        """Take what came with the batch."""
        samples = data_batch['data_samples']
        self._read += len(samples)
        for sample in samples:
            bad = sample.get('bad_files', ())
            self._read += len(bad)
            self._bad += bad

    def after_train_iter(self, runner: Runner, batch_idx: int, *_, **__) -> None:
        """Count what training read, where the logger writes."""
        # Processes may differ in their number of validation batches, but all come to
        # the end of the epoch.
        if is_reported(self, runner, batch_idx):
            self._exchange(runner)

    def after_val_epoch(self, runner: Runner, metrics=None) -> None:
        """Count what validation read."""
        self._exchange(runner)

    def after_test_epoch(self, runner: Runner, metrics=None) -> None:
        """Count what a test read."""
        self._exchange(runner)

    def _exchange(self, runner: Runner) -> None:
        """Add up all processes, report what is new, and stop if it is too much."""
        counts = torch.tensor([self._read, len(self._bad)])
        all_reduce(counts)
        info = runner.message_hub.runtime_info
        read, bad = counts.tolist()
        total_read = info.get('files_read', 0) + read
        total_bad = info.get('bad_files_read', 0) + bad
        runner.message_hub.update_info('files_read', total_read)
        runner.message_hub.update_info('bad_files_read', total_bad)
        if bad:
            for files in all_gather_object(self._bad):
                for file in files:
                    self._add(file, runner.rank, total_read)
        self._read, self._bad = 0, []
        if total_bad > self.max_bad_share * max(total_read, self.min_files):
            raise DuGIError(
                f'{total_bad} of {total_read} files read are bad, more than '
                f'max_bad_share={self.max_bad_share} allows '
                f'({count_reasons(self._known.values())}): see {self._report}, repair '
                'or remove them, or raise max_bad_share of BadFilesHook'
            )

    def _add(self, file: BadFile, rank: int, total_read: int) -> None:
        """Report a file that is not known yet."""
        if file.path in self._known:
            return
        self._known[file.path] = file
        if rank == 0:
            with self._report.open('a', encoding='utf-8') as report:
                report.write(f'{file.reason}\t{file.path}\n')
        print_log(
            f'bad file, skipped: {file.message} ({len(self._known)} so far, '
            f'{total_read} files read)',
            'current',
            logging.WARNING,
        )

    def after_train(self, runner: Runner) -> None:
        """Say how many there were."""
        if self._known:
            print_log(
                f'{len(self._known)} bad files were skipped '
                f'({count_reasons(self._known.values())}): see {self._report}',
                'current',
                logging.WARNING,
            )
