"""Random edits of bytes, of trees of lists and dicts, and of XML.

Each takes a generator and returns what became of its input together with a note of what
was done. The same state of the generator gives the same edit.
"""

from __future__ import annotations

import copy
import gzip
import json
import math
import random
from collections.abc import Iterator
from xml.etree import ElementTree

#: What stands where something else was expected.
ODD_VALUES = (
    *(None, True, False, '', 'x', '12', '../../x', 'a\nb', '\0', 'ä' * 300),
    *(0, -1, 1, 2, 3, 7, 10**9, 2**31, 2**63, 10**400, -(10**9)),
    *(0.5, -0.5, 1.5, 1e300, math.nan, math.inf, -math.inf),
    *([], {}, [1, 2], [None], [[]], {'a': 1}, [0] * 5, ['x']),
)
#: Files of other kinds under a wrong name.
FOREIGN = (
    *(b'', b'\0' * 500, b'404 not found\n', b'<html><body>Sign in</body></html>'),
    *(b'{"images": []}', b'%PDF-1.4\n%\xe2\xe3\n', b'PK\x03\x04' + bytes(60)),
    *(b'\x93NUMPY\x01\x00v\x00' + bytes(120), b'\x80\x02}q\x00.'),
    *(b'RIFF\xff\xff\xff\xffAVI LIST', gzip.compress(bytes(1000), mtime=0)),
    b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
)
#: An XML file whose entities grow to gigabytes.
GROWING = '<!DOCTYPE x [<!ENTITY a0 "haha">{}]>'.format(
    ''.join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
)
_TEXTS = ('', ' ', 'x', '-5', '1e9', '1e400', 'nan', 'inf', '1,5', '0x10', '9' * 400)


def edit_bytes(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damage a file once to three times."""
    result, notes = bytearray(content), []
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not result:
            break
        start, size = rng.randrange(len(result)), rng.choice((1, 3, 20, 200))
        part = result[start : start + size]
        end = start + len(part)
        # A header field: at the beginning or, in TIFF and zip, at the end.
        width = rng.choice((1, 2, 4, 8))
        half = 2 ** (8 * width - 1)
        value = rng.choice((0, 1, half - 1, half, 2 * half - 1))
        field = rng.choice((rng.randrange(64), -rng.randrange(1, 64), start))
        field %= max(1, len(result) - width)
        edits = {
            'flip': (start, end, bytes(b ^ 1 << rng.randrange(8) for b in part)),
            'cut': (start, None, b''),
            'drop': (start, end, b''),
            'zeros': (start, end, bytes(len(part))),
            'garbage': (start, start, rng.randbytes(size)),
            'repeat': (start, start, part),
            'foreign': (0, None, rng.choice(FOREIGN)),
            'number': (
                *(field, field + width),
                value.to_bytes(width, rng.choice(('big', 'little'))),
            ),
        }
        notes.append(rng.choice([*edits, 'number']))
        first, last, new = edits[notes[-1]]
        result[first:last] = new
    return bytes(result), 'bytes: ' + ', '.join(notes)


def places(tree: object) -> Iterator[tuple]:
    """Paths to everything in a tree of dicts and lists, the tree itself left out."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (key,)
        if isinstance(value, (dict, list, tuple)):
            yield from ((key, *path) for path in places(value))


def typo(key: str, rng: random.Random) -> str:
    """A name with a letter lost, doubled or replaced."""
    place = rng.randrange(len(key) or 1)
    letter = key[place : place + 1]
    return key[:place] + rng.choice(('', 'x', letter * 2)) + key[place + 1 :]


def edit_tree(tree: object, rng: random.Random) -> tuple[object, str, tuple]:
    """Change one place of a tree of dicts and lists.

    Returns:
        The new tree, a note, and the path of the place.
    """
    tree = copy.deepcopy(tree)
    path = rng.choice(list(places(tree)))
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    key, edit = path[-1], rng.choice(('replace', 'replace', 'remove', 'repeat', 'wrap'))
    if edit == 'replace':
        parent[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        edit += f' by {parent[key]!r:.60}'
    elif edit == 'remove':
        del parent[key]
    elif edit == 'wrap':
        parent[key] = rng.choice(([parent[key]], {'wrapping': parent[key]}))
        path = (*path, *parent[key]) if isinstance(parent[key], dict) else path
    elif isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        edit, other = 'rename', typo(key, rng)
        parent[other] = parent.pop(key)
        path = (*path, other)
    return tree, f'{edit} {".".join(map(str, path))}', path


def edit_json(tree: object, rng: random.Random) -> tuple[bytes, str]:
    """Text of an edited tree, seldom of one that nests too deep or has long numbers."""
    notes = []
    for _ in range(rng.choice((1, 1, 2, 4))):
        if tree:
            tree, note, _ = edit_tree(tree, rng)
            notes.append(note)
    text = json.dumps(tree)
    if rng.random() < 0.1:
        insert = rng.choice(('[' * 100_000, '9' * 5000, '"\\ud800"', '\ufeff', '1e999'))
        place = text.find(rng.choice('[:,'), rng.randrange(len(text))) + 1
        text = text[:place] + insert + text[place:]
        notes.append(f'insert {insert[:8]}')
    return text.encode(), '; '.join(notes)


def edit_xml(text: str, rng: random.Random) -> tuple[bytes, str]:
    """Text of an XML file with an element removed, renamed, repeated or refilled."""
    root = ElementTree.fromstring(text)
    parent, child = rng.choice([(p, child) for p in root.iter() for child in p])
    edit = rng.choice(('remove', 'rename', 'refill', 'refill', 'repeat', 'grow'))
    if edit == 'remove':
        parent.remove(child)
    elif edit == 'rename':
        child.tag = typo(child.tag, rng) or 'x'
    elif edit == 'repeat':
        parent.append(copy.deepcopy(child))
    elif edit == 'refill':
        child.text = rng.choice(_TEXTS)
    result = ElementTree.tostring(root, encoding='unicode')
    if edit == 'grow':
        result = GROWING + result.replace('>', '>&a11;', 1)
    return result.encode(), f'{edit} {child.tag}'
