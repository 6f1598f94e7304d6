"""What users see when something that they gave us cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


class DuGIError(ValueError):
    """Bad input: a file, folder, key or value that dugi_mae cannot work with.

    Every message is one line that names the offending thing and says what to do
    about it. It is a :class:`ValueError`, so generic handlers keep working.
    """


class BadImageError(DuGIError):
    """An image file that cannot be used.

    Attributes:
        reason: A word or two, the same for all files that are bad in the same way.
    """

    def __init__(self, message: str, reason: str = 'damaged') -> None:
        super().__init__(message)
        self.reason = reason


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise unless a value is one of the allowed ones, and suggest the nearest.

    Args:
        name: The argument's name, for the message.
        value: What was given.
        choices: What is allowed.

    Raises:
        DuGIError: If ``value`` is not among ``choices``.
    """
    choices = list(choices)
    if value in choices:
        return
    near = difflib.get_close_matches(str(value), map(str, choices), n=1)
    hint = f'did you mean {near[0]!r}? ' if near else ''
    raise DuGIError(
        f'{name}={value!r} is unknown: {hint}choose one of '
        + ', '.join(repr(c) for c in choices)
    )


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise unless a number lies in a range, and say which one is nearest.

    Args:
        name: The argument's name, for the message.
        value: What was given.
        low: The least that is allowed.
        high: The most that is allowed.

    Raises:
        DuGIError: If ``value`` is less or more.
    """
    if not low <= value <= high:
        nearest = high if value > high else low
        raise DuGIError(
            f'{name}={value} is out of range: choose from {low} to {high}, the '
            f'nearest is {nearest}'
        )


def shorten(names: Collection[str]) -> str:
    """The first three of many names, and how many more there are."""
    names = list(names)
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more
