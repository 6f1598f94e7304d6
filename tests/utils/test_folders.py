"""Making the folders that results go to."""

from __future__ import annotations

import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.files import make_folder


def test_a_folder_is_made_once(tmp_path):
    """Whole with those above it; one that is there stays as it is."""
    path = make_folder(str(tmp_path / 'a' / 'b'))
    (path / 'kept').write_text('')
    assert make_folder(path) == tmp_path / 'a' / 'b'
    assert (path / 'kept').is_file()


@pytest.mark.parametrize('below', ['', 'sub', 'sub/sub'])
def test_a_file_in_the_way_is_named(tmp_path, below):
    """At the place itself or above it: one line, with what to do."""
    (tmp_path / 'taken').write_text('')
    path = tmp_path / 'taken' / below
    with pytest.raises(DuGIError, match='cannot be made .*: name another one') as error:
        make_folder(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)
