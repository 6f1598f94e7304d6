"""What every model that takes images knows of them: channels and grey-value scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from dugi_mae.errors import DuGIError


class ImageInput(nn.Module):
    """Base of models that take normalized infrared images.

    Attributes:
        in_channels: Channels C of the image.
        mean: Grey value, 0 to 255, that becomes 0; by default that of Inf-590K.
        std: Grey values that become 1.
    """

    in_channels: int = 3
    mean: float = 108.375
    std: float = 51.0

    def prepare(self, images: ndarray | Sequence[ndarray]) -> Tensor:
        """Bring images in memory to the input of this model.

        Args:
            images: One image or several of one size, ``(H, W)`` or ``(H, W, C)``, grey
                values 0 to 255, as :func:`dugi_mae.load_infrared` gives them.

        Returns:
            ``(B, C, H, W)`` on the device of the model. A single channel is repeated;
            a one-channel model takes the first of several.

        Raises:
            DuGIError: If the sizes differ, or the channels fit in neither way.
        """
        batch = images if isinstance(images, (list, tuple)) else [images]
        shapes = {image.shape for image in batch}
        if len(shapes) != 1:
            raise DuGIError(
                f'images of the shapes {sorted(shapes)}: prepare images of one size, '
                'or each by itself'
            )
        pixels = np.stack([np.atleast_3d(image) for image in batch])
        device = next(self.parameters()).device
        x = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()
        if self.in_channels == 1:
            x = x[:, :1]
        elif x.shape[1] == 1:
            x = x.expand(-1, self.in_channels, -1, -1)
        self.check_images(x)
        return (x - self.mean) / self.std

    def check_images(self, images: Tensor) -> None:
        """Raise unless images are ``(B, C, H, W)`` with the channels of this model."""
        if images.dim() != 4:
            raise DuGIError(
                f'images of shape {tuple(images.shape)}: expected (B, C, H, W); add '
                'the missing dimension with images[None]'
            )
        if images.shape[1] != self.in_channels:
            raise DuGIError(
                f'images with {images.shape[1]} channels met a model with in_channels='
                f'{self.in_channels}: set backbone.in_channels to {images.shape[1]}, '
                f'or load images with channels={self.in_channels}'
            )
