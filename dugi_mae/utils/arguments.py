"""Checking a constructor's arguments against its signature and type hints."""

from __future__ import annotations

import functools
import inspect
import numbers
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence

from torch import nn

from dugi_mae.errors import DuGIError, check_choice

#: What messages call the types that configs hold.
_NAMES = {
    bool: 'True or False',
    int: 'a whole number',
    float: 'a number',
    dict: 'a dict',
    nn.Module: 'a module',
    types.NoneType: 'None',
}


def _alternatives(hint: object) -> tuple:
    """The members of a union, or the hint alone."""
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _fits(value: object, hint: object) -> bool:
    """Whether a value is of the type that a hint names."""
    kind, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is int or kind is float:
        # A bool is an integer to Python, and never meant as one.
        wanted = numbers.Integral if kind is int else numbers.Real
        is_number = isinstance(value, wanted) and not isinstance(value, bool)
        return is_number and abs(value) <= sys.float_info.max
    if kind in (tuple, Sequence, list):
        if not isinstance(value, (list, tuple)):
            return False
        if kind is tuple and Ellipsis not in parts:
            return len(value) == len(parts) and all(map(_fits, value, parts))
        return all(_fits(item, parts[0]) for item in value)
    return isinstance(value, kind)


def _describe(hint: object) -> str:
    """What to give, in words."""
    kind, parts = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (tuple, Sequence, list):
        item = _NAMES[parts[0]].removeprefix('a ')
        count = len(parts) if kind is tuple and Ellipsis not in parts else ''
        return f'a list of {count} {item}s'.replace('  ', ' ')
    return _NAMES[kind]


def check_names(
    owner: type, known: Iterable[inspect.Parameter], given: Iterable[str]
) -> None:
    """Raise for a key that is unknown, or needed and not there.

    Args:
        owner: Whose keys they are, for the message.
        known: Its parameters.
        given: Names of the arguments.
    """
    known = [p for p in known if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    given = set(given)
    for name in sorted(given, key=str):
        check_choice(f'key of {owner.__name__}', name, [p.name for p in known])
    for parameter in known:
        if parameter.default is parameter.empty and parameter.name not in given:
            raise DuGIError(f'{owner.__name__} needs {parameter.name}=...: add it')


def check_arguments(
    init: Callable | None = None, *, others_of: type | None = None
) -> Callable:
    """Let ``__init__`` refuse unknown, missing and mistyped arguments by name.

    Types are those of the hints. Texts are left to the class, which knows its choices,
    and ``init_cfg`` to mmengine.

    Args:
        init: An ``__init__`` with type hints.
        others_of: The class that ``**kwargs`` go to; its names are known, too.

    Returns:
        The decorated ``__init__``, which raises :class:`DuGIError`.
    """
    if init is None:
        return functools.partial(check_arguments, others_of=others_of)
    own = list(inspect.signature(init).parameters.values())[1:]
    others = inspect.signature(others_of).parameters.values() if others_of else ()
    optional = [p.replace(default=None) for p in others]

    @functools.lru_cache(maxsize=1)
    def hints() -> dict:
        found = typing.get_type_hints(init)
        return {
            p.name: _alternatives(found[p.name])
            for p in own
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != 'init_cfg'
        }

    @functools.wraps(init)
    def checked(self, *args, **kwargs) -> None:
        given = dict(zip((p.name for p in own), args, strict=False)) | kwargs
        check_names(type(self), [*own, *optional], given)
        for name, wanted in hints().items():
            value = given.get(name)
            if name not in given or str in wanted:
                continue
            if not any(_fits(value, hint) for hint in wanted):
                raise DuGIError(
                    f'{type(self).__name__} got {name}={_shorten(value)}: give '
                    + ' or '.join(map(_describe, wanted))
                )
        init(self, *args, **kwargs)

    return checked


def _shorten(value: object) -> str:
    """One line that shows a value of any size."""
    return ' '.join(reprlib.repr(value).split())
