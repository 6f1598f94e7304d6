"""Splits: drawn alike everywhere, recorded, and read again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dugi_mae.converters.splits import draw_split, read_splits, write_splits
from dugi_mae.errors import DuGIError

NAMES = [f'{number:05}' for number in range(4200)]
#: Of the validation names of seed 0; another value would be another benchmark.
VAL_DIGEST = '5b54297ae278a464'


def test_the_drawn_split_is_known():
    """M3FD's 4,200 names fall 3,360 to 840, the same ones for ever, in any order."""
    split = draw_split(NAMES[::-1])
    assert [len(split[part]) for part in ('train', 'val')] == [3360, 840]
    assert sorted(split['train'] + split['val']) == NAMES
    text = '\n'.join(split['val'])
    assert hashlib.sha256(text.encode()).hexdigest().startswith(VAL_DIGEST)


def test_lists_are_read_again(tmp_path):
    """Names round-trip, also those with blanks; each must be there, in one list."""
    splits = dict(train=['a 1', 'b'], val=['c 1 2'], test=['d'])
    write_splits(splits, tmp_path)
    images = {name: Path(f'{name}.png') for name in ('d', 'c 1 2', 'b', 'a 1', 'a')}
    assert read_splits(tmp_path / 'splits', images) == splits
    path = tmp_path / 'splits' / 'test.txt'
    path.write_text('b')
    with pytest.raises(DuGIError, match='b is in both train and test'):
        read_splits(tmp_path / 'splits', images)
    path.write_text('99999')
    with pytest.raises(DuGIError, match='image 99999 of .*test.txt is not in'):
        read_splits(tmp_path / 'splits', images)
    path.unlink()
    assert 'test' not in read_splits(tmp_path / 'splits', images)


def test_the_record_tells_lists_apart(tmp_path):
    """Hashes in the record are those of the files; lists of an earlier run go."""
    folder = tmp_path / 'splits'
    write_splits(dict(train='ab', val='c', test='d', test_day='d'), tmp_path)
    (folder / 'mine.txt').touch()
    lines = write_splits(dict(train='ab', val='c'), tmp_path, seed=3)
    assert lines[:2] == [
        f'{folder}/{split}.txt of an earlier run removed'
        for split in ('test', 'test_day')
    ]
    record = json.loads((folder / 'record.json').read_text())
    text = (folder / 'train.txt').read_bytes()
    assert text == b'a\nb\n'
    digest = hashlib.sha256(text).hexdigest()
    assert record['seed'] == 3
    assert record['lists']['train'] == dict(images=2, sha256=digest)
    assert digest in lines[2]
    assert sorted(path.name for path in folder.iterdir()) == [
        *('mine.txt', 'record.json', 'train.txt', 'val.txt')
    ]
