"""Inputs of an inferencer: files, folders, globs, videos and arrays."""

from __future__ import annotations

import difflib
import glob
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, DefaultScope
from numpy import ndarray

from dugi_mae.errors import DuGIError
from dugi_mae.files import IMAGE_EXTENSIONS, walk_files
from dugi_mae.images import InfraredReader
from dugi_mae.mm import file_backends  # noqa: F401  registers `infrared`
from dugi_mae.mm.build import type_name
from dugi_mae.mm.config_errors import config_errors

VIDEO_EXTENSIONS = tuple('.mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg .wmv'.split())
_EXTENSIONS = (*IMAGE_EXTENSIONS, *VIDEO_EXTENSIONS)
#: Codes of FFmpeg's pixel formats: deep grey ones begin so, then follow their bits; of
#: the other byte order all of it is reversed.
_DEEP_GREY, _GREY_16 = b'Y1\0', b'Y1\0\x10'
#: Transforms that read labels.
LABEL_TRANSFORMS = ('LoadTargetMask', 'LoadAnnotations')

#: One input: a path, a glob or the pixels of one image.
Input = str | Path | ndarray


class InputImage(NamedTuple):
    """One image of a run.

    Attributes:
        name: Unique in the run, with forward slashes and without extension.
        source: Its file, ``'array'`` for pixels in memory.
        frame: Number in the video, counted from 0, else ``None``.
        pixels: ``(H, W)`` or ``(H, W, C)``; ``None`` for a file.
    """

    name: str
    source: str
    frame: int | None = None
    pixels: ndarray | None = None


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
        """Number of images; of a video as its header states, 0 if unknown."""
        if not self.is_video:
            return 1
        frames = cv2.VideoCapture(str(self.path)).get(cv2.CAP_PROP_FRAME_COUNT)
        return max(int(frames), 0)

    def images(self) -> Iterator[InputImage]:
        """Yield the images; a video is decoded frame by frame."""
        if not self.is_video:
            source = 'array' if self.path is None else str(self.path)
            yield InputImage(self.name, source, None, self.pixels)
            return
        for frame, pixels in enumerate(read_video(self.path)):
            name = f'{self.name}_{frame:06d}'
            yield InputImage(name, str(self.path), frame, pixels)


def read_video(path: Path) -> Iterator[ndarray]:
    """Decode a video.

    Yields:
        Frames, ``(H, W, 3)`` uint8 BGR, or ``(H, W)`` uint16 of 16-bit grey ones, such
        as FFV1 holds.

    Raises:
        DuGIError: If there is no frame, or fewer than the header states, or OpenCV
            cannot keep its levels.
    """
    capture, frames = cv2.VideoCapture(str(path)), 0
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    code = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)).to_bytes(4, 'little')
    if code == _GREY_16:
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)  # else OpenCV makes it 8-bit
    elif code.startswith(_DEEP_GREY) or code.endswith(_DEEP_GREY[::-1]):
        raise DuGIError(
            f'video {path} is grey of another depth or byte order than OpenCV keeps: '
            'convert it, for example by ffmpeg -i IN -c:v ffv1 -pix_fmt gray16le '
            'OUT.mkv'
        )
    while (frame := capture.read())[0]:
        frames += 1
        yield frame[1]
    if not frames:
        raise DuGIError(
            f'video {path} cannot be decoded: it is damaged or OpenCV lacks its codec, '
            'copy it again or convert it, for example to MP4 with H.264'
        )
    if frames < total:
        raise DuGIError(
            f'video {path} ends after {frames} of {total} frames: it is truncated, '
            'copy it again'
        )


def _expand(item: str | Path) -> list[tuple[str, Path]]:
    """Names and files that a path or a glob stands for."""
    if not str(item).strip():  # as a path it would be the working folder
        raise DuGIError("an input is '': name a file or folder, '.' for the one here")
    path = Path(item).expanduser()
    if path.is_file():
        return [(path.stem, path)]
    if path.is_dir():
        relative = (Path(p) for p in sorted(walk_files(path)))
        found = [(p.with_suffix('').as_posix(), path / p) for p in relative]
    elif glob.has_magic(str(path)):
        paths = (Path(p) for p in sorted(glob.glob(str(path), recursive=True)))
        found = [(p.stem, p) for p in paths if p.is_file()]
    else:
        siblings = [p.name for p in path.parent.glob('*')] * path.parent.is_dir()
        near = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f'did you mean {path.parent / near[0]}?' if near else 'check the path'
        raise DuGIError(f'input {item} does not exist: {hint}')
    found = [(name, p) for name, p in found if p.suffix.lower() in _EXTENSIONS]
    if not found:
        raise DuGIError(
            f'no image or video in {item}: looked for {" ".join(_EXTENSIONS)}, check '
            'the path'
        )
    return found


def find_sources(inputs: Input | Sequence[Input]) -> list[Source]:
    """Resolve the inputs of a run to files and arrays with unique names.

    Files of a folder are found at any depth and keep their relative path as name.
    Repeated names get a number.

    Args:
        inputs: A file, folder, glob, video or array, or a list of these.

    Raises:
        DuGIError: If a path does not exist, a folder or glob is empty, or an array is
            not an image.
    """
    items = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    sources: dict[str, Source] = {}
    for place, item in enumerate(items):
        if isinstance(item, np.ndarray):
            if item.ndim != 2 and (item.ndim != 3 or item.shape[2] > 4):
                raise DuGIError(
                    f'array of shape {item.shape} is not an image: give (H, W) or '
                    '(H, W, C) with at most 4 channels, several images as a list'
                )
            found = [Source(f'array_{place}', pixels=item)]
        elif isinstance(item, (str, Path)):
            found = [Source(name, path) for name, path in _expand(item)]
        else:
            raise DuGIError(
                f'input of type {type(item).__name__} is unknown: give a path, a glob, '
                'a NumPy array or a list of these'
            )
        for source in found:
            numbered = (f'{source.name}_{number}' for number in itertools.count(2))
            names = itertools.chain([source.name], numbered)
            name = next(name for name in names if name not in sources)
            sources[name] = source._replace(name=name)
    if not sources:
        raise DuGIError('the list of inputs is empty: give at least one image')
    return list(sources.values())


class PredictPipeline:
    """A config's test pipeline without labels, for files and arrays.

    Args:
        config: Its ``test_dataloader`` (or ``val_dataloader``, or ``val_pipeline``)
            contains the pipeline.

    Attributes:
        reader: Converts arrays as the pipeline's first step converts files.
        label_transforms: Configs of the omitted transforms by name.

    Raises:
        DuGIError: If there is no pipeline, or its first step does not load infrared
            images.
    """

    def __init__(self, config: Config) -> None:
        dataloader = config.get('test_dataloader') or config.get('val_dataloader')
        steps = dataloader.dataset.get('pipeline') if dataloader else None
        load, *steps = steps or config.get('val_pipeline') or [dict(type='none')]
        options = dict(load.get('backend_args') or {})
        infrared = options.pop('backend', None) == 'infrared'
        if not infrared and type_name(load) != 'LoadInfraredImage':
            raise DuGIError(
                f'config {config.filename} has no test pipeline that loads infrared '
                "images: begin test_dataloader.dataset.pipeline with dict(type='Load"
                "ImageFromFile', backend_args=dict(backend='infrared'))"
            )
        self.label_transforms = {
            type_name(step): step
            for step in steps
            if type_name(step) in LABEL_TRANSFORMS
        }
        scope = DefaultScope.overwrite_default_scope(config.default_scope)
        with config_errors(config), scope:
            self.load = TRANSFORMS.build(load)
            self.rest = Compose(
                [s for s in steps if type_name(s) not in LABEL_TRANSFORMS]
            )
        self.reader = self.load
        if infrared:
            channels = 3 if load.get('color_type', 'color') == 'color' else 1
            self.reader = InfraredReader(channels, **options)

    def __call__(self, image: InputImage) -> tuple[dict, ndarray]:
        """Load one image and run the pipeline.

        Returns:
            The packed sample, and the image as loaded, ``(H, W)`` or ``(H, W, C)``.
        """
        if image.pixels is None:
            results = self.load(dict(img_path=image.source))
        else:
            pixels = self.reader.convert(image.pixels, image.name)
            shape = pixels.shape[:2]
            results = dict(
                img=pixels, img_path=image.source, img_shape=shape, ori_shape=shape
            )
        pixels = results['img']
        return self.rest(results), pixels
