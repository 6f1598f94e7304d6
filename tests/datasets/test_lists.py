"""Text files that list images."""

from __future__ import annotations

import pytest

from dugi_mae.datasets.lists import read_lines
from dugi_mae.errors import DuGIError


def test_lines_without_blanks(tmp_path):
    """Blank lines, blanks around names and either line end do not matter."""
    path = tmp_path / 'train.txt'
    path.write_bytes(b' a.png\r\n\n\tb c.png \n')
    assert read_lines(path, 'split list', 'correct it') == ['a.png', 'b c.png']


@pytest.mark.parametrize(
    'content, message',
    [
        (None, r'cannot be read \(No such file or directory\): correct it'),
        (b'', 'is empty: write one image name a line'),
        (b' \n\n', 'is empty'),
        (b'\xff\xfe\x00a', 'is no text in UTF-8: correct it'),
        (b'a\0b', 'is no text in UTF-8'),
    ],
)
def test_what_cannot_be_read(tmp_path, content, message):
    """Each message names the file, what it is and what to do."""
    path = tmp_path / 'train.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DuGIError, match=f'^split list {path} {message}'):
        read_lines(path, 'split list', 'correct it')
