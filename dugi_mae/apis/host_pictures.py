"""The hosts' pictures show images as the model's loader reads them.

For a picture of a prediction the hosts read the file again, by a function ``get`` and
``mmcv.imfrombytes``, which turns 16-bit images into one or two grey levels. Where the
pipeline begins with ``LoadInfraredImage`` they get its image instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType

import cv2
import numpy as np
from mmengine.hooks import Hook
from numpy import ndarray
from torch.utils.data import DataLoader

from dugi_mae.datasets.transforms import LoadInfraredImage


def to_picture(image: ndarray) -> ndarray:
    """``(H, W, 1)`` or ``(H, W, 3)`` of our loader -> ``(H, W, 3)`` uint8."""
    return np.repeat(np.rint(image[..., :1]).astype(np.uint8), 3, axis=2)


def encode_picture(loader: LoadInfraredImage, path: str) -> bytes:
    """What a loader makes of a file, as the content of a PNG file."""
    return cv2.imencode('.png', to_picture(loader.load(str(path))))[1].tobytes()


@contextmanager
def files_as_loaded(module: ModuleType, loader: LoadInfraredImage) -> Iterator[None]:
    """Let ``module.get(path)`` give what a loader makes of the file."""
    original = module.get
    module.get = lambda path, **kwargs: encode_picture(loader, path)
    try:
        yield
    finally:
        module.get = original


def find_loader(dataloader: DataLoader) -> LoadInfraredImage | None:
    """The first transform of a data loader's set, or of the first of its sets."""
    dataset = dataloader.dataset
    dataset = getattr(dataset, 'datasets', [dataset])[0]
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', None)
    return steps[0] if steps and isinstance(steps[0], LoadInfraredImage) else None


def use_infrared_pictures(hook: type[Hook]) -> None:
    """Teach a visualization hook of a host our loading transform, once.

    Args:
        hook: Draws after iterations of validation and test, on what ``get`` of its
            module gives; without effect until ``draw=True``.
    """
    if 'infrared_pictures' in vars(hook):
        return
    hook.infrared_pictures = True
    for mode in ('val', 'test'):
        _teach(hook, f'after_{mode}_iter', f'{mode}_dataloader')


def _teach(hook: type[Hook], method: str, dataloader: str) -> None:
    original = getattr(hook, method)

    @wraps(original)
    def after_iter(self, runner, *args, **kwargs):
        loader = find_loader(getattr(runner, dataloader)) if self.draw else None
        if loader is None:
            return original(self, runner, *args, **kwargs)
        with files_as_loaded(sys.modules[hook.__module__], loader):
            return original(self, runner, *args, **kwargs)

    setattr(hook, method, after_iter)
