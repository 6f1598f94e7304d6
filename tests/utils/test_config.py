"""Config files that cannot be read."""

from __future__ import annotations

import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.utils.config import read_config


@pytest.mark.parametrize(
    'text, reason',
    [
        ('model = dict(', 'SyntaxError'),
        ('model = dcit()', 'NameError'),
        ('a = 1 / 0', 'ZeroDivisionError'),
        ("_base_ = 'gone.py'", 'gone.py'),
        ("a = '\0'", 'null'),
    ],
)
def test_a_damaged_config_is_named(tmp_path, text, reason):
    """One line with the file and what Python says of it."""
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(DuGIError, match=reason) as error:
        read_config(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_a_near_name_is_suggested(tmp_path):
    """A typo in the name of the file is answered with the file that is there."""
    (tmp_path / 'tiny.py').write_text('a = 1')
    with pytest.raises(DuGIError, match=r'did you mean .*tiny\.py'):
        read_config(tmp_path / 'tinny.py')
