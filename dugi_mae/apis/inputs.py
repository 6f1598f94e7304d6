"""What people hand to an inferencer: files, folders, globs, videos and arrays."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.files import IMAGE_EXTENSIONS
from dugi_mae.mm.datasets.pretrain import walk_files
from dugi_mae.mm.transforms import LoadInfraredImage
from dugi_mae.errors import DuGIError

VIDEO_EXTENSIONS = tuple('.mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg .wmv'.split())
_EXTENSIONS = (*IMAGE_EXTENSIONS, *VIDEO_EXTENSIONS)

#: One input: a path, a glob or the pixels of one image.
Input = str | Path | ndarray


class InputImage(NamedTuple):
    """One image of a run.

    Attributes:
        index: Its place in the run, counted from 0; in a run ``None`` for a frame that
            the header of its video does not tell of.
        name: Unique in the run, with forward slashes and without extension.
        source: The file it is from, ``'array'`` for pixels from memory.
        frame: Its number in a video, counted from 0, else ``None``.
        pixels: ``(H, W)`` or ``(H, W, C)``, ``None`` while they are in the file only.
    """

    index: int | None
    name: str
    source: str
    frame: int | None = None
    pixels: ndarray | None = None

    def load(self, loader: LoadInfraredImage) -> ndarray:
        """``(H, W, channels)`` as a pipeline's loader gives it."""
        if self.pixels is None:
            return loader.load(self.source)
        return loader.convert(self.pixels, self.name)


class Source(NamedTuple):
    """A file or an array, before it is read.

    Attributes:
        name: Unique in the run.
        path: The file, ``None`` for an array.
        pixels: The array, ``None`` for a file.
    """

    name: str
    path: Path | None = None
    pixels: ndarray | None = None

    @property
    def is_video(self) -> bool:
        """Whether the file's extension is that of a video."""
        return self.path is not None and self.path.suffix.lower() in VIDEO_EXTENSIONS

    def count(self) -> int:
        """Number of images; for a video what its header says, 0 if unknown."""
        if not self.is_video:
            return 1
        capture = cv2.VideoCapture(str(self.path))
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        return max(frames, 0)

    def images(self, index: int) -> Iterator[InputImage]:
        """The images in it; a video is decoded frame by frame.

        Args:
            index: The first image's place in the run.
        """
        if not self.is_video:
            source = 'array' if self.path is None else str(self.path)
            yield InputImage(index, self.name, source, None, self.pixels)
            return
        for frame, pixels in enumerate(read_video(self.path)):
            name = f'{self.name}_{frame:06d}'
            yield InputImage(index + frame, name, str(self.path), frame, pixels)


def read_video(path: Path) -> Iterator[ndarray]:
    """Decode a video, ``(H, W, 3)`` uint8 BGR a frame.

    Raises:
        DuGIError: If there is no frame, or fewer than the header says.
    """
    capture = cv2.VideoCapture(str(path))
    total, frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    try:
        while True:
            found, image = capture.read()
            if not found:
                break
            frames += 1
            yield image
    finally:
        capture.release()
    if not frames:
        raise DuGIError(
            f'video {path} cannot be decoded: it is damaged or OpenCV lacks its codec, '
            'copy it again or convert it, for example to MP4 with H.264'
        )
    if frames < total:
        raise DuGIError(
            f'video {path} ends after {frames} of {total} frames: it is cut short, '
            'copy it again'
        )


def _check_array(array: ndarray) -> None:
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] <= 4):
        return
    raise DuGIError(
        f'array of shape {array.shape} is not an image: give (H, W) or (H, W, C) with '
        'at most 4 channels, several images as a list'
    )


def _expand(item: str | Path) -> list[tuple[str, Path]]:
    """Names and files behind a path or a glob."""
    path = Path(item).expanduser()
    if path.is_file():
        return [(path.stem, path)]
    known = f'{" ".join(IMAGE_EXTENSIONS)} and {" ".join(VIDEO_EXTENSIONS)}'
    if path.is_dir():
        found = [Path(p) for p in sorted(walk_files(path))]
        found = [p for p in found if p.suffix.lower() in _EXTENSIONS]
        if not found:
            raise DuGIError(
                f'folder {path} holds neither image nor video: looked for {known}'
            )
        return [(p.with_suffix('').as_posix(), path / p) for p in found]
    if glob.has_magic(str(path)):
        found = [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]
        found = [p for p in found if p.suffix.lower() in _EXTENSIONS and p.is_file()]
        if not found:
            raise DuGIError(
                f'no image or video matches {item}: looked for {known}, check the '
                'pattern'
            )
        return [(p.stem, p) for p in found]
    siblings = [p.name for p in path.parent.glob('*')] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f'did you mean {path.parent / near[0]}?' if near else 'check the path'
    raise DuGIError(f'input {item} does not exist: {hint}')


def find_sources(inputs: Input | Sequence[Input]) -> list[Source]:
    """Resolve what a user gave to files and arrays with unique names.

    Files of a folder are found at any depth and keep their relative path as name. A
    name that comes again gets a number.

    Args:
        inputs: A file, folder, glob, video or array, or a list of these.

    Raises:
        DuGIError: If a path does not exist, a folder or glob holds nothing, or an array
            is no image.
    """
    items = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    sources, taken = [], set()
    for place, item in enumerate(items):
        if isinstance(item, np.ndarray):
            _check_array(item)
            found = [Source(f'array_{place}', pixels=item)]
        elif isinstance(item, (str, Path)):
            found = [Source(name, path) for name, path in _expand(item)]
        else:
            raise DuGIError(
                f'input of type {type(item).__name__} is unknown: give a path, a glob, '
                'a NumPy array or a list of these'
            )
        for source in found:
            name, number = source.name, 1
            while name in taken:
                number += 1
                name = f'{source.name}_{number}'
            taken.add(name)
            sources.append(source._replace(name=name))
    if not sources:
        raise DuGIError('the list of inputs is empty: give at least one image')
    return sources
