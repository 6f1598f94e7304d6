"""Atomic writing, trees of images, and text files that list images."""

from __future__ import annotations

import errno
import os

import pytest

from dugi_mae.errors import DuGIError
from dugi_mae.files import (
    atomic_write,
    find_images,
    find_listed,
    make_folder,
    read_lines,
    without_extension,
)


def test_a_folder_is_made_once(tmp_path):
    """With those above it; an existing one stays as it is."""
    path = make_folder(str(tmp_path / 'a' / 'b'))
    (path / 'kept').write_text('')
    assert make_folder(path) == tmp_path / 'a' / 'b'
    assert (path / 'kept').is_file()


@pytest.mark.parametrize('below', ['', 'sub'])
def test_a_file_in_the_way_is_named(tmp_path, below):
    """At the place itself or above it."""
    (tmp_path / 'taken').write_text('')
    path = tmp_path / 'taken' / below
    with pytest.raises(DuGIError, match=f'^output folder {path}.*choose another'):
        make_folder(path)


@pytest.fixture
def written(tmp_path):
    """A file in a folder that it was written with."""
    path = tmp_path / 'new' / 'x.bin'
    atomic_write(b'old', path)
    return path


def test_writes_and_replaces(written):
    """The file holds what was written last, and nothing else is left."""
    atomic_write(b'new', written)
    assert written.read_bytes() == b'new'
    assert list(written.parent.iterdir()) == [written]


def test_the_name_appears_only_when_the_content_is_synced(written, monkeypatch):
    """A process killed before the rename leaves the old file under the name."""
    seen, sync = [], os.fsync

    def spy(handle):
        seen.append(written.read_bytes())
        sync(handle)

    monkeypatch.setattr(os, 'fsync', spy)
    atomic_write(b'new', written)
    # The file is synced before it is renamed, the folder after.
    assert seen == [b'old', b'new']


@pytest.mark.parametrize('call', ['fsync', 'replace'])
def test_full_disk_keeps_the_old_file(written, monkeypatch, call):
    """Whichever step fails, the old file is intact and one line says why."""

    def full_disk(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(DuGIError, match='x.bin.*No space left.*free') as caught:
        atomic_write(b'new', written)
    assert '\n' not in str(caught.value)
    assert written.read_bytes() == b'old'
    assert list(written.parent.iterdir()) == [written]


def test_images_of_a_tree(tmp_path):
    """Sorted, links followed once, hidden ones left out, case of extensions ignored."""
    for name in ('b.PNG', 'x/a.tif', 'x/.c.png', '.y/d.png', 'x/readme.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'x' / 'again').symlink_to(tmp_path, target_is_directory=True)
    assert find_images(tmp_path) == ['b.PNG', 'x/a.tif']
    assert find_images(tmp_path, ('.png',)) == ['b.PNG']


@pytest.mark.parametrize(
    ('folder', 'message'),
    [
        ('none', r'none does not exist: correct data_root'),
        ('texts', r'texts holds no image.*found \.txt \(2\).*set extensions'),
    ],
)
def test_trees_without_images(tmp_path, folder, message):
    """What was found instead is named."""
    (tmp_path / 'texts').mkdir()
    for name in ('a.txt', 'b.txt'):
        (tmp_path / 'texts' / name).touch()
    with pytest.raises(DuGIError, match=message):
        find_images(tmp_path / folder)


def test_lines_without_blanks(tmp_path):
    """Blank lines, blanks around names, line ends and a byte order mark: no names."""
    path = tmp_path / 'train.txt'
    path.write_bytes(b'\xef\xbb\xbf a.png\r\n\n\tb c.png \n')
    assert read_lines(path, 'split list', 'correct it') == ['a.png', 'b c.png']


@pytest.mark.parametrize(
    'content, message',
    [
        (None, r'cannot be read.*No such file.*correct it'),
        (b' \n\n', 'is empty.*one image name per line'),
        (b'\xff\xfe\x00a', 'is not UTF-8.*correct it'),
        (b'a\0b', 'is not UTF-8'),
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
    ('name', 'expected'), [('a.png', 'a'), ('x/b.2.JPG', 'x/b.2'), ('c.1', 'c.1')]
)
def test_extensions(name, expected):
    """Those of image files go, in any case of letters; other dots stay."""
    assert without_extension(name) == expected


PATHS = ['1.png', '2.png', 'x/1.png', 'x/3.png', 'y/3.png', 'y/4.jpg', 'y/4.png']


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('1', '1.png'),
        ('images/2.png labels/2.png', '2.png'),
        ('x/1', 'x/1.png'),
        ('2.tif 7', '2.png'),
        ('images/x/3.png', 'x/3.png'),
        ('images/1', 'images/1.bmp'),
        ('4.jpg', 'y/4.jpg'),
        ('a b.1', 'z/a b.1.bmp'),
        ('z\\a b.1.bmp', 'z/a b.1.bmp'),
        ('images\\x\\3.png 7', 'x/3.png'),
    ],
)
def test_forms_of_names(tmp_path, line, expected):
    """A name, or a path relative to the folder of images or to the one around it."""
    paths = [*PATHS, 'z/a b.1.bmp', 'images/1.bmp']
    assert find_listed([line], paths, 'x.txt', tmp_path / 'images') == [expected]


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['5'], r'image 5 of x\.txt is not in .*: copy it there'),
        (['set/x/3.png'], r'image set/x/3\.png of x\.txt is not in'),
        (['3'], r'image 3 of x\.txt may be x/3\.png or y/3\.png'),
        (['y/4'], r'image y/4 of x\.txt may be y/4\.jpg or y/4\.png'),
        (['2', 'x/1', '2.png'], r"2\.png of x\.txt is 2\.png.*'2'.*keep one"),
    ],
)
def test_names_that_mean_none_or_several(tmp_path, lines, message):
    """No image, one of several, or one twice: the line is named, nothing guessed."""
    with pytest.raises(DuGIError, match=message) as caught:
        find_listed(lines, PATHS, 'x.txt', tmp_path)
    assert '\n' not in str(caught.value)
