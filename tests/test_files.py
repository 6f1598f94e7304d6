"""Text files that list images, and which images they mean."""

from __future__ import annotations

import pytest

from dugi_mae.files import find_listed, read_lines, without_extension
from dugi_mae.errors import DuGIError


def test_lines_without_blanks(tmp_path):
    """Blank lines, blanks around names and either line end do not matter."""
    path = tmp_path / 'train.txt'
    path.write_bytes(b' a.png\r\n\n\tb c.png \n')
    assert read_lines(path, 'split list', 'correct it') == ['a.png', 'b c.png']


def test_a_byte_order_mark_is_no_name(tmp_path):
    """Editors on Windows put one at the beginning."""
    path = tmp_path / 'train.txt'
    path.write_text('\ufeffa.png\nb.png', encoding='utf-8')
    assert read_lines(path, 'split list', 'correct it') == ['a.png', 'b.png']


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


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('a.png', 'a'), ('x/b.2.JPG', 'x/b.2'), ('c.1', 'c.1'), ('d', 'd')],
)
def test_endings(name, expected):
    """The ending of an image file goes, in any case of letters; other dots stay."""
    assert without_extension(name) == expected
    assert without_extension('a.png', ('.xml',)) == 'a.png'


PATHS = ['1.png', '2.png', 'x/1.png', 'x/3.png', 'y/3.png', 'y/4.jpg', 'y/4.png']


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('1', '1.png'),
        ('images/1.png labels/1.png', '1.png'),
        ('x/1', 'x/1.png'),
        ('2.tif 7', '2.png'),
        ('set/images/x/3.png', 'x/3.png'),
        ('4.jpg', 'y/4.jpg'),
        ('a b.1', 'z/a b.1.bmp'),
        ('z\\a b.1.bmp', 'z/a b.1.bmp'),
        ('set\\images\\x\\3.png 7', 'x/3.png'),
    ],
)
def test_forms_of_names(tmp_path, line, expected):
    """As much of a path as tells the image apart, with other folders before it."""
    paths = [*PATHS, 'z/a b.1.bmp']
    assert find_listed([line], paths, 'x.txt', tmp_path) == [expected]


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['5'], r'image 5 of x\.txt is not in .*: copy it there, as PNG, JPEG or TIFF'),
        (
            ['3'],
            r'image 3 of x\.txt may be x/3\.png or y/3\.png of .*: list it with its',
        ),
        (['z/3.png'], r'image z/3\.png of x\.txt may be x/3\.png or y/3\.png'),
        (['y/4'], r'image y/4 of x\.txt may be y/4\.jpg or y/4\.png'),
        (
            ['2', 'x/1', '2.png'],
            r"2\.png of x\.txt is 2\.png, which the line '2' names",
        ),
    ],
)
def test_names_that_mean_none_or_several(tmp_path, lines, message):
    """No image, one of several, or one twice: the line is named, nothing guessed."""
    with pytest.raises(DuGIError, match=message) as caught:
        find_listed(lines, PATHS, 'x.txt', tmp_path)
    assert '\n' not in str(caught.value)
