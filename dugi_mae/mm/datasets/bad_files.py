"""Files that a data set skips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class BadFile(NamedTuple):
    """A file that was skipped.

    Attributes:
        path: Where it is.
        reason: A word or two, the same for all files that are bad in the same way.
        message: What is wrong and what to do, with the path.
    """

    path: str
    reason: str
    message: str


def count_reasons(files: Iterable[BadFile]) -> str:
    """Say how many files are bad for which reason, most frequent first."""
    counts = Counter(file.reason for file in files)
    return ', '.join(f'{reason}: {n}' for reason, n in counts.most_common())
