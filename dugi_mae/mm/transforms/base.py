"""What our transforms share."""

from __future__ import annotations

from mmcv.transforms import BaseTransform


class Transform(BaseTransform):
    """A transform that prints with its settings, which are its attributes."""

    def __repr__(self) -> str:
        settings = ', '.join(f'{key}={value!r}' for key, value in vars(self).items())
        return f'{type(self).__name__}({settings})'
