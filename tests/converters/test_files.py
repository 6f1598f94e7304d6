"""Where dataset converters may write, and what they say of folders."""

from __future__ import annotations

import pytest

from dugi_mae.converters import CONVERTERS
from dugi_mae.converters.files import open_release
from dugi_mae.errors import DuGIError
from dugi_mae.files import images_by_stem


def contents(folder) -> dict:
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize(
    ('name', 'link', 'target'),
    [
        ('irstd1k', 'masks', 'IRSTD1k_Label'),
        ('mfnet', 'thermal', 'images'),
        ('hit-uav', 'annotations', 'normal_json/annotations'),
        ('dronevehicle', 'images/train', 'train/trainimgr'),
    ],
)
def test_no_link_of_out_leads_into_the_source(request, tmp_path, name, link, target):
    """A folder that gets files and is a link is refused; the source stays as it is."""
    source = request.getfixturevalue(name.replace('-', '_'))
    out, before = tmp_path / 'out', contents(source)
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(source / target)
    with pytest.raises(DuGIError, match=f'^{out}/{link} is a link .*remove it'):
        CONVERTERS[name](source, out)
    assert contents(source) == before


def test_nor_into_another_source(m3fd, dronevehicle, tmp_path):
    """The link that one converter leaves takes no images of another one."""
    before = contents(m3fd)
    CONVERTERS['m3fd'](m3fd, tmp_path / 'out')
    with pytest.raises(DuGIError, match='out/images is a link that leads to'):
        CONVERTERS['dronevehicle'](dronevehicle, tmp_path / 'out')
    assert contents(m3fd) == before


@pytest.mark.parametrize(
    ('source', 'out', 'message'),
    [
        ('gone', 'out', 'folder .*/gone does not exist: correct SRC'),
        ('set', 'file', 'OUT .*/file is a file: name a folder'),
        ('set', 'set/x', 'OUT .*set/x lies in SRC .*set: name a folder'),
        ('o/images', 'o', 'OUT .*o/images lies in SRC .*o/images: name a folder'),
        ('set', 'o', None),
    ],
)
def test_where_out_may_be(tmp_path, source, out, message):
    """A folder outside of the source, and so are the folders that get files."""
    for name in ('set/Inner', 'o/images'):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / 'file').touch()
    arguments = tmp_path / source, tmp_path / out, ['images'], 'other', 'INNER'
    if message is None:
        assert open_release(*arguments) == tmp_path / 'set' / 'Inner'
        return
    with pytest.raises(DuGIError, match=f'^{message}'):
        open_release(*arguments)


def test_names_that_differ_in_their_extension_only(tmp_path):
    """One of them would be lost."""
    for name in ('a.png', 'b.jpg', '.c.png'):
        (tmp_path / name).touch()
    assert images_by_stem(tmp_path) == dict(a=tmp_path / 'a.png', b=tmp_path / 'b.jpg')
    (tmp_path / 'b.tif').touch()
    with pytest.raises(DuGIError, match=r'b\.jpg and .*b\.tif differ.*rename one'):
        images_by_stem(tmp_path)
