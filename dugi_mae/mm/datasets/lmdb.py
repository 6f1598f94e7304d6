"""A tree of images in one LMDB: for disks on which many small files are slow."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mmengine.fileio import register_backend
from mmengine.fileio.backends import BaseStorageBackend
from tqdm import tqdm

from dugi_mae.errors import DuGIError

SUFFIX = '.lmdb'
_PREFIX = 'dugi-lmdb'
_PAGE = 4096
#: Files between two commits of a packing.
_BATCH = 1000


def is_lmdb(folder: Path) -> bool:
    """Whether a folder is an LMDB of ours, by its name and its one file."""
    return folder.suffix == SUFFIX and (folder / 'data.mdb').is_file()


def lmdb_path(folder: Path | str, name: str) -> str:
    """What :func:`mmengine.fileio.get` reads a file of an LMDB by."""
    return f'{_PREFIX}://{folder}/{name}'


def _import_lmdb() -> ModuleType:
    try:
        return importlib.import_module('lmdb')
    except ImportError:
        raise DuGIError('LMDB data needs a package: pip install lmdb') from None


#: What is open: folder -> process and database.
_opened: dict[Path, tuple[int, Any]] = {}


def _close(folder: Path) -> None:
    """Close an LMDB if it is open."""
    if folder in _opened:
        _opened.pop(folder)[1].close()


def _database(folder: Path) -> Any:
    """Open an LMDB, once in each process."""
    lmdb = _import_lmdb()
    process, database = _opened.get(folder, (None, None))
    if process == os.getpid():
        return database
    # What was open before a fork can be neither used nor opened again after it.
    _close(folder)
    try:
        database = lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
        _opened[folder] = os.getpid(), database
        pages = database.info()['last_pgno'] + 1
        # It is mapped into memory: to read beyond its end would kill the process.
        if pages * database.stat()['psize'] > (folder / 'data.mdb').stat().st_size:
            raise lmdb.Error('it is cut short')
    except lmdb.Error as error:
        _close(folder)
        raise DuGIError(
            f'{folder} is no LMDB that can be read ({error}): copy it again, or pack '
            'it again with tools/dataset_converters/pack_lmdb.py'
        ) from None
    return database


@register_backend('dugi_lmdb', prefixes=_PREFIX)
class LmdbFolderBackend(BaseStorageBackend):
    """Files by paths such as ``dugi-lmdb://data/inf590k.lmdb/a/b.png``.

    mmengine's own LMDB backend wants the database in ``backend_args`` of every
    transform and reads ASCII names only. This one is found by the path, so no config
    has to change.
    """

    def get(self, filepath: str | Path) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: If the LMDB does not hold it.
        """
        path = str(filepath).removeprefix(f'{_PREFIX}://')
        folder, found, name = path.partition(f'{SUFFIX}/')
        database = Path(folder + SUFFIX)
        if not found or not is_lmdb(database):
            raise FileNotFoundError(filepath)
        with _database(database).begin() as transaction:
            content = transaction.get(os.fsencode(name))
        if content is None:
            raise FileNotFoundError(filepath)
        return content

    def get_text(self, filepath: str | Path, encoding: str = 'utf-8') -> str:
        """Content of a text file."""
        return self.get(filepath).decode(encoding)


def names_in_lmdb(folder: Path, extensions: Sequence[str]) -> list[str]:
    """List the images of an LMDB, as ``find_images`` does those of the tree.

    Args:
        folder: The LMDB.
        extensions: Lower-case file extensions with their dot; case is ignored.

    Returns:
        Sorted paths relative to the tree that was packed, with forward slashes.
    """
    with _database(folder).begin() as transaction:
        keys = list(transaction.cursor().iternext(keys=True, values=False))
    names = sorted(map(os.fsdecode, keys))
    names = [n for n in names if os.path.splitext(n)[1].lower() in extensions]
    if not names:
        raise DuGIError(
            f'{folder} holds no image: looked for {" ".join(extensions)} among '
            f'{len(keys)} files; pack another folder or set extensions'
        )
    return names


def pack_lmdb(folder: Path, names: Sequence[str], out: Path) -> None:
    """Copy files into an LMDB, byte for byte, with a progress bar.

    It is written under another name and renamed: an interrupted packing leaves none,
    and an earlier one intact.

    Args:
        folder: The tree.
        names: Files below it, with forward slashes.
        out: The LMDB; its name ends in ``.lmdb``.

    Raises:
        DuGIError: If ``out`` has another ending or is something else, a name is longer
            than 511 bytes, a file cannot be read, or the disk is full.
    """
    lmdb = _import_lmdb()
    if out.suffix != SUFFIX:
        raise DuGIError(f'{out} must end in {SUFFIX}: name it {out.name}{SUFFIX}')
    if out.exists() and not is_lmdb(out):
        raise DuGIError(f'{out} exists and is no LMDB: name another OUT')
    temporary = out.with_name(f'.{os.getpid()}.{out.name}')
    try:
        sizes = [(folder / name).stat().st_size for name in names]
        # A value takes whole pages, and the tree a few hundred bytes for each key.
        pages = sum(size // _PAGE + 2 for size in sizes) + len(names) + 1024
        temporary.mkdir(parents=True)
        with lmdb.open(str(temporary), map_size=2 * pages * _PAGE) as database:
            transaction = database.begin(write=True)
            for i, name in enumerate(tqdm(names, 'packing', unit='image'), 1):
                transaction.put(os.fsencode(name), (folder / name).read_bytes())
                if i % _BATCH == 0 or i == len(names):
                    transaction.commit()
                    transaction = database.begin(write=True)
            transaction.abort()
        (temporary / 'lock.mdb').unlink()
        _close(out)
        if out.exists():
            shutil.rmtree(out)
        temporary.rename(out)
    except (OSError, lmdb.Error) as error:
        raise DuGIError(f'{out} cannot be written: {error}') from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
