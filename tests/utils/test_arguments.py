"""Arguments that a class cannot take are named."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.utils.arguments import check_arguments


class Base:
    """Takes what :class:`Part` passes on."""

    def __init__(self, alpha: float = 0.5) -> None:
        self.alpha = alpha


class Part(Base):
    """Has an argument of every kind that configs hold."""

    @check_arguments(others_of=Base)
    def __init__(
        self,
        width: int,
        indices: Sequence[int] = (0,),
        lims: tuple[float, float] | None = None,
        arch: str | dict = 'tiny',
        flag: bool = False,
        init_cfg: dict | None = None,
        **others,
    ) -> None:
        super().__init__(**others)
        self.values = width, indices, lims, arch, flag


@pytest.mark.parametrize(
    'given',
    [
        dict(width=3),
        dict(width=3, indices=[1, -1], lims=[0, 1.5], arch={}, flag=True, alpha=1),
        dict(width=3, lims=None, arch=object()),  # texts are the class's own matter
        dict(width=3, init_cfg='checked by mmengine'),
    ],
)
def test_what_fits_is_passed_on(given):
    """Right arguments reach the class unchanged, by name or by place."""
    part = Part(**given)
    assert part.values[0] == 3 and part.alpha == given.get('alpha', 0.5)
    assert Part(3, [1, 2]).values[1] == [1, 2]


@pytest.mark.parametrize(
    'given, message',
    [
        ({}, 'Part needs width=...: add it'),
        (
            dict(width=1, widht=2),
            "key of Part='widht' is unknown: did you mean 'width'",
        ),
        (dict(width=1, alhpa=2), "did you mean 'alpha'"),
        (dict(width='3'), "Part got width='3': give a whole number"),
        (dict(width=True), 'Part got width=True'),
        (dict(width=3.0), r'Part got width=3\.0'),
        (dict(width=10**400), 'Part got width=1000.* give a whole number'),
        (dict(width=1, indices=4), 'Part got indices=4: give a list of whole numbers'),
        (dict(width=1, indices=[None]), r'indices=\[None\]'),
        (dict(width=1, lims=[1]), 'give a list of 2 numbers or None'),
        (dict(width=1, lims=[1, math.inf]), 'Part got lims='),
        (dict(width=1, flag=1), 'Part got flag=1: give True or False'),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    """The message has class, argument, value and what to give, on one line."""
    with pytest.raises(DuGIError, match=message) as error:
        Part(**given)
    assert '\n' not in str(error.value)
