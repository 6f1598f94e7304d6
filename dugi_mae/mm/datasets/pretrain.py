"""Unlabelled infrared images from any folder tree, for self-supervised training."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from dugi_mae.errors import BadImageError, DuGIError, check_choice
from dugi_mae.files import IMAGE_EXTENSIONS, find_images, read_lines
from dugi_mae.mm.datasets.bad_files import BadFile, count_reasons
from dugi_mae.mm.datasets.checks import check_named
from dugi_mae.mm.datasets.lmdb import is_lmdb, lmdb_path, names_in_lmdb


def in_val_split(relative_path: str, val_fraction: float, seed: int = 0) -> bool:
    """Whether a file belongs to the validation part.

    The answer depends on nothing but the arguments: files that come or go move no
    other file from one part to the other.

    Args:
        relative_path: Path below the data folder, with forward slashes.
        val_fraction: Expected share of the validation part, 0 to 1.
        seed: Another seed is another split.
    """
    key = f'{seed}:{relative_path}'.encode()
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return int.from_bytes(digest, 'big') < val_fraction * 2**64


def _as_list(given: str | Path | Sequence) -> list:
    """One text or path, or several, as a list."""
    return [given] if isinstance(given, (str, Path)) else list(given)


@DATASETS.register_module()
class InfraredPretrainDataset(BaseDataset):
    """Images of one or more folder trees, without labels or class folders.

    Args:
        data_root: One folder, or a list of folders. One that
            ``tools/dataset_converters/pack_lmdb.py`` packed (``NAME.lmdb``) counts as
            the folder that it was made of.
        ann_file: Optional list of the images to use, one path relative to ``data_root``
            a line (blank lines are ignored); the list itself may be relative to
            ``data_root`` too. Needs a single folder.
        extensions: File extensions that count as images, or one; case is ignored.
        split: ``'train'`` or ``'val'`` for one part, ``None`` for all images. A file's
            part depends on its relative path and ``split_seed`` alone.
        val_fraction: Expected share of the ``'val'`` part.
        split_seed: Another seed is another split.
        skip_bad_files: Whether another image takes the place of a file that cannot be
            used; if not, it is an error. Which one depends on the index alone, so runs
            repeat. The sample then carries ``bad_files``, a list of :class:`BadFile`,
            for :class:`dugi_mae.mm.hooks.BadFilesHook`. Needs a pipeline that ends in
            ``PackInputs``.
        max_refetch: Most bad files in a row; more are an error.
        **kwargs: As in :class:`mmpretrain.datasets.BaseDataset` (``pipeline``,
            ``indices``, ``lazy_init``, ...).

    Raises:
        DuGIError: If an argument is out of its range, a folder or list is missing, or
            there is no image.
    """

    def __init__(
        self,
        data_root: str | Sequence[str],
        ann_file: str = '',
        extensions: str | Sequence[str] = IMAGE_EXTENSIONS,
        split: str | None = None,
        val_fraction: float = 0.05,
        split_seed: int = 0,
        skip_bad_files: bool = False,
        max_refetch: int = 100,
        **kwargs,
    ) -> None:
        check_choice('split', split, (None, 'train', 'val'))
        if not 0 < val_fraction < 1:
            raise DuGIError(f'val_fraction={val_fraction}: choose between 0 and 1')
        roots = _as_list(data_root)
        self.roots = [check_named(root).expanduser() for root in roots]
        if not self.roots:
            raise DuGIError('data_root is an empty list: name at least one folder')
        if ann_file and len(self.roots) > 1:
            raise DuGIError(
                f'ann_file={ann_file!r} needs one data_root, got {len(self.roots)}: '
                'use one dataset for each and mmengine.ConcatDataset'
            )
        self.extensions = tuple(
            f'.{extension.lower().lstrip(".")}' for extension in _as_list(extensions)
        )
        self.split = split
        self.val_fraction = val_fraction
        self.split_seed = split_seed
        self.skip_bad_files = skip_bad_files
        # The parent joins ann_file to a single root by itself.
        root = str(self.roots[0]) if len(self.roots) == 1 else ''
        super().__init__(
            ann_file=ann_file, data_root=root, max_refetch=max_refetch, **kwargs
        )

    def __getitem__(self, idx: int) -> dict:
        """Load one sample.

        Raises:
            DuGIError: If the file is bad, or ``max_refetch`` more in its place.
        """
        if not self.skip_bad_files:
            return super().__getitem__(idx)
        # Not the global generators: what a sample draws must not depend on its files.
        draw, bad = random.Random(int(idx)), []
        while len(bad) <= self.max_refetch:
            try:
                sample = super().__getitem__(idx)
            except BadImageError as error:
                path = self.get_data_info(idx)['img_path']
                bad.append(BadFile(path, error.reason, str(error)))
                idx = draw.randrange(len(self))
                continue
            if bad:
                sample['data_samples'].set_metainfo(dict(bad_files=bad))
            return sample
        # No sample will tell the hook of them.
        examples = {file.reason: file.path for file in reversed(bad)}
        named = ', '.join(f'{path} ({reason})' for reason, path in examples.items())
        raise DuGIError(
            f'{len(bad)} images in a row cannot be used ({count_reasons(bad)}), such '
            f'as {named}: correct data_root, or list all bad files of the folder with '
            'tools/dataset_converters/verify.py'
        )

    def load_data_list(self) -> list[dict]:
        """List the images.

        Returns:
            ``dict(img_path=...)`` for each, sorted within each folder.
        """
        samples, total = [], 0
        for root in self.roots:
            packed = is_lmdb(root)
            if self.ann_file:
                remedy = f'correct ann_file, it lists paths relative to {root}'
                paths = read_lines(self.ann_file, 'image list', remedy)
            else:
                list_images = names_in_lmdb if packed else find_images
                paths = list_images(root, self.extensions)
            total += len(paths)
            samples += [
                dict(img_path=lmdb_path(root, path) if packed else f'{root}/{path}')
                for path in paths
                if self._selects(path)
            ]
        if not samples:
            raise DuGIError(
                f'split {self.split!r} of {", ".join(map(str, self.roots))} is empty '
                f'({total} images in all): change val_fraction={self.val_fraction} or '
                f'split_seed={self.split_seed}, or add images'
            )
        return samples

    def _selects(self, path: str) -> bool:
        """Whether the wanted part holds this relative path."""
        if self.split is None:
            return True
        is_val = in_val_split(path, self.val_fraction, self.split_seed)
        return is_val == (self.split == 'val')
