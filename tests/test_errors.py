"""Messages name the thing and the nearest remedy."""

from __future__ import annotations

import pytest

from dugi_mae.errors import (
    BadImageError,
    DuGIError,
    check_choice,
    check_range,
    shorten,
)


@pytest.mark.parametrize(
    ('value', 'match'),
    [
        ('entropi', r"masking='entropi' is unknown: did you mean 'entropy'\?"),
        ('xyz', "masking='xyz' is unknown: choose one of 'entropy', 'random'"),
        (['random'], r"masking=\['random'\] is unknown: did you mean 'random'"),
    ],
)
def test_an_unknown_choice_gets_the_nearest(value, match):
    """What cannot be a name is no other error."""
    check_choice('masking', 'random', ('entropy', 'random'))
    with pytest.raises(DuGIError, match=match):
        check_choice('masking', value, iter(('entropy', 'random')))


@pytest.mark.parametrize(('value', 'nearest'), [(-1, 0), (1.5, 1), (float('nan'), 0)])
def test_a_number_out_of_range_gets_the_nearest(value, nearest):
    """Not a number is in no range."""
    for good in (0, 0.5, 1):
        check_range('rate', good, 0, 1)
    match = f'rate={value} .*from 0 to 1.*nearest is {nearest}'
    with pytest.raises(DuGIError, match=match):
        check_range('rate', value, 0, 1)


def test_errors_are_value_errors():
    """Generic handlers catch them; images tell their kind of damage."""
    assert issubclass(BadImageError, DuGIError) and issubclass(DuGIError, ValueError)
    assert BadImageError('x.png', 'empty').reason == 'empty'


def test_many_names_are_counted():
    """Three, and how many more."""
    assert shorten('012') == '0, 1, 2'
    assert shorten('01234') == '0, 1, 2 and 2 more'
