"""Our image reader as a transform of OpenMMLab pipelines."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmengine.registry import TRANSFORMS

from dugi_mae.errors import BadImageError
from dugi_mae.images import InfraredReader
from dugi_mae.images.reading import read_bytes


def read_file(path: str, backend_args: dict | None = None) -> bytes:
    """Read a file through mmengine's file backends.

    Args:
        path: Local path or a URL that a backend knows.
        backend_args: See :func:`mmengine.fileio.get`.

    Raises:
        BadImageError: If the file cannot be read, see
            :func:`dugi_mae.images.reading.read_bytes`.
    """
    try:
        return read_bytes(path, lambda path: fileio.get(path, backend_args))
    except KeyError:  # what stands before '://' in it
        raise BadImageError(
            f'{path} is in a storage that mmengine does not know: correct the list it '
            'came from, or install the storage',
            'missing',
        ) from None


@TRANSFORMS.register_module()
class LoadInfraredImage(InfraredReader, BaseTransform):
    """Load an infrared image as 8-bit grey, from 8-bit, 16-bit or float files.

    For arrays that are in memory there is ``LoadInfraredImage(...).convert(array)``.

    Required keys: ``img_path``. Added keys: ``img`` ``(H, W, channels)``,
    ``img_shape`` and ``ori_shape`` ``(H, W)``.

    Args:
        backend_args: See :func:`mmengine.fileio.get`.
        **options: As in :class:`dugi_mae.images.InfraredReader`: ``channels``,
            ``normalizer``, ``invalid``, ``channel``, ``min_side``, ``to_float32``,
            ``max_pixels`` and ``reduce_to``.
    """

    def __init__(self, backend_args: dict | None = None, **options) -> None:
        super().__init__(**options)
        self.backend_args = backend_args

    def read(self, path: str) -> bytes:
        """Content of a file."""
        return read_file(path, self.backend_args)

    def transform(self, results: dict) -> dict:
        """Add the image at ``results['img_path']`` to the results."""
        image = self.load(results['img_path'])
        shape = image.shape[:2]
        results.update(img=image, img_shape=shape, ori_shape=shape)
        return results
