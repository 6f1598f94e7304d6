"""Reading an infrared image, whatever its bit depth, channels and file format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from dugi_mae.errors import BadImageError, DuGIError, check_choice
from dugi_mae.images.normalize import MAX_COUNT, build_normalizer, valid_pixels
from dugi_mae.images.reading import MAX_PIXELS, decode, read_bytes


def check_pixels(image: ndarray, path: str = 'image') -> ndarray:
    """Make sure that an array is an image; 1-bit pixels become 0 and 255.

    Args:
        image: Any array.
        path: Its name, for messages.

    Returns:
        ``(H, W)`` or ``(H, W, C)`` real numbers.

    Raises:
        BadImageError: If it is another kind of array.
    """
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    has_channels = image.ndim == 2 or (image.ndim == 3 and image.shape[2] > 0)
    if image.dtype.kind not in 'uif' or not has_channels:
        raise BadImageError(
            f'{path} is {image.dtype} of the shape {image.shape}: give real numbers of '
            'the shape (H, W) or (H, W, C)',
            'not an image',
        )
    return image


def to_grey(image: ndarray, path: str = 'image', channel: int | None = None) -> ndarray:
    """Reduce an image to one grey channel.

    Colour becomes luma (0.299 R + 0.587 G + 0.114 B), which leaves equal channels
    exactly as they are. Alpha is dropped.

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` in BGR(A) order, at most 4 channels.
        path: Its name, for messages.
        channel: Take this channel, in the order above, instead.

    Returns:
        ``(H, W)``; colour of other than 8 and 16 bits becomes float32.
    """
    if image.ndim == 2:
        image = image[..., None]
    channels = image.shape[2]
    if channel is not None:
        if not 0 <= channel < channels:
            raise BadImageError(
                f'{path} has {channels} channel(s): there is no channel={channel}',
                'channels',
            )
        return image[..., channel]
    if channels <= 2:  # grey, or grey and alpha
        return image[..., 0]
    if channels > 4:
        raise BadImageError(
            f'{path} has {channels} channels: say which is infrared with channel=...',
            'channels',
        )
    if image.dtype not in (np.uint8, np.uint16):
        image = image.astype(np.float32)
    return cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_BGR2GRAY)


class InfraredReader:
    """Reads an infrared image as 8-bit grey, from 8-bit, 16-bit or float files.

    8-bit images keep their pixels. Anything deeper goes through a normaliser, because
    the usual conversions destroy it silently: counts divided by 256 leave a scene of
    300 counts two grey levels, and saturating ones leave it one.

    Args:
        channels: 3 (grey repeated, for backbones and data preprocessors made for
            colour) or 1.
        normalizer: For images deeper than 8 bits: ``'percentile'``, ``'minmax'``,
            ``'fixed'`` or ``dict(type=..., **parameters)``, see
            :mod:`dugi_mae.images.normalize`.
        invalid: Counts of such images that mean "no measurement", for example
            ``(0, 65535)``; they become black and are left out of the statistics.
        channel: Take this channel of the file, in BGR(A) order, instead of luma: 3 for
            data that keeps thermal in the alpha channel of an RGBA file.
        min_side: Least height and width in pixels; the default is one patch.
        to_float32: Give float32 in ``[0, 255]``, unrounded, instead of uint8.
        max_pixels: Most pixels of a file, checked in its header before decoding. The
            default is the area of 8192x8192.
        reduce_to: Decode large JPEGs at a half, a quarter or an eighth of their size,
            as long as the shorter side keeps so many pixels. For training without
            labels: these refer to the pixels of the file.

    Raises:
        DuGIError: If a value is unknown or out of range.
    """

    def __init__(
        self,
        channels: int = 3,
        normalizer: str | dict = 'percentile',
        invalid: Sequence[float] = (),
        channel: int | None = None,
        min_side: int = 16,
        to_float32: bool = False,
        max_pixels: int = MAX_PIXELS,
        reduce_to: int | None = None,
    ) -> None:
        check_choice('channels', channels, (1, 3))
        sizes = dict(min_side=min_side, max_pixels=max_pixels, reduce_to=reduce_to)
        for name, pixels in sizes.items():
            if pixels is not None and pixels < 1:
                raise DuGIError(f'{name}={pixels}: give at least 1 pixel')
        self.channels = channels
        self.normalizer = normalizer
        self.normalize = build_normalizer(normalizer)
        self.invalid = tuple(invalid)
        self.channel = channel
        self.min_side = min_side
        self.to_float32 = to_float32
        self.max_pixels = max_pixels
        self.reduce_to = reduce_to

    def read(self, path: str) -> bytes:
        """Content of a file; subclasses may read from elsewhere."""
        return read_bytes(path)

    def load(self, path: str | Path) -> ndarray:
        """Read one file.

        Args:
            path: The image.

        Returns:
            ``(H, W, channels)`` uint8, or float32 in ``[0, 255]``.

        Raises:
            BadImageError: If the file cannot be used.
        """
        return self.decode(self.read(str(path)), str(path))

    def decode(self, content: bytes, path: str = 'image') -> ndarray:
        """Bring an encoded file that is in memory to what :meth:`load` gives.

        Args:
            content: The encoded file.
            path: Its name, for messages.
        """
        grey_only = self.channel is None
        image = decode(content, path, grey_only, self.max_pixels, self.reduce_to)
        return self.convert(image, path)

    def convert(self, image: ndarray, path: str = 'image') -> ndarray:
        """Bring pixels that are in memory to what :meth:`load` gives.

        Args:
            image: ``(H, W)`` or ``(H, W, C)`` in BGR(A) order, any real dtype or
                boolean.
            path: Its name, for messages.

        Returns:
            ``(H, W, channels)`` uint8, or float32 in ``[0, 255]``.
        """
        image = to_grey(check_pixels(image, path), path, self.channel)
        height, width = image.shape
        if min(height, width) < self.min_side:
            raise BadImageError(
                f'{path} is {width}x{height} pixels, smaller than {self.min_side}x'
                f'{self.min_side}: remove it, enlarge it, or lower min_side',
                'too small',
            )
        if image.dtype.kind == 'f' and not valid_pixels(image).any():
            raise BadImageError(
                f'{path} holds no finite pixel, only NaN, infinity or values beyond '
                f'{MAX_COUNT:g}: remove it',
                'not finite',
            )
        if image.dtype != np.uint8:
            valid = valid_pixels(image, self.invalid)
            image = 255 * self.normalize(image, valid)
        if self.to_float32:
            image = image.astype(np.float32)
        elif image.dtype != np.uint8:
            image = np.rint(image).astype(np.uint8)
        if self.channels == 1:
            return np.ascontiguousarray(image)[..., None]
        return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_GRAY2BGR)

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if k != 'normalize'}
        options = ', '.join(f'{key}={value!r}' for key, value in shown.items())
        return f'{type(self).__name__}({options})'


def load_infrared(path: str | Path, **options) -> ndarray:
    """Read an infrared image of any kind as 8-bit grey.

    Args:
        path: The file.
        **options: As :class:`InfraredReader` takes them, such as ``channels=1``.

    Returns:
        ``(H, W, channels)`` uint8, by default with three equal channels.

    Raises:
        DuGIError: If the file cannot be used; the message names it and says why.

    Example:
        >>> image = load_infrared('counts_16bit.tif')  # doctest: +SKIP
    """
    return InfraredReader(**options).load(path)
