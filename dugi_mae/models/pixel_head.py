"""The loss of masked image modelling: pixels of the masked tokens."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import DuGIError
from dugi_mae.ops import gather_patches, patchify


class MaskedPixelHead(nn.Module):
    """Mean squared error on masked pixels, for any grid and channel count.

    Args:
        norm_pix: Normalize every target token to zero mean and unit variance (off in
            the paper).
        patch_size: Side P of a token in pixels.
        in_channels: Channels C of the image.
        loss: ``(pred, target, mask) -> scalar`` of ``(B, M, P * P * C)`` tokens and a
            ``(B, M)`` mask in place of the mean squared error.
    """

    def __init__(
        self,
        norm_pix: bool = False,
        patch_size: int = 16,
        in_channels: int = 3,
        loss: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.norm_pix = norm_pix
        self.patch_size = patch_size
        self.in_channels = in_channels
        self.loss_module = loss

    def construct_target(self, images: Tensor, ids: Tensor | None = None) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, L, P * P * C)`` tokens to predict.

        Args:
            images: The images.
            ids: ``(B, K)`` raster indices of the wanted tokens; ``None`` takes all L.
        """
        if ids is None:
            tokens = patchify(images, self.patch_size)
        else:
            patches = gather_patches(images, ids, self.patch_size)
            tokens = patches.movedim(2, -1).flatten(2)
        if not self.norm_pix:
            return tokens
        mean, std = _statistics(tokens)
        return (tokens - mean) / std

    def loss(self, pred: Tensor, images: Tensor, mask: Tensor) -> Tensor:
        """Mean loss over the masked tokens.

        Args:
            pred: ``(B, L, P * P * C)``, or ``(B, L - K, P * P * C)`` with the masked
                tokens only, in raster order.
            images: ``(B, C, H, W)``.
            mask: ``(B, L)``, 1 = masked.

        Returns:
            A scalar, equal for both forms of ``pred``.

        Raises:
            DuGIError: If there are more predictions than tokens.
        """
        total = mask.shape[1]
        # Shapes alone: how many are masked is on the GPU, and asking would wait for it.
        if len(pred) != len(mask) or pred.shape[1] > total:
            raise DuGIError(
                f'prediction of shape {tuple(pred.shape)} does not go with a mask for '
                f'{len(mask)} images of {total} tokens: predict all tokens or the '
                'masked ones'
            )
        if pred.shape[1] < total:
            order = mask.argsort(dim=1, descending=True, stable=True)
            target = self.construct_target(images, order[:, : pred.shape[1]])
            mask = mask.new_ones(pred.shape[:2])
        else:
            target = self.construct_target(images)
        if self.loss_module is not None:
            return self.loss_module(pred, target, mask)
        error = F.mse_loss(pred, target, reduction='none').mean(dim=-1)
        return (error * mask).sum() / mask.sum()

    def to_pixels(self, pred: Tensor, images: Tensor) -> Tensor:
        """Undo the normalization of the target.

        Args:
            pred: ``(B, L, P * P * C)`` predictions.
            images: ``(B, C, H, W)`` whose token statistics ``norm_pix`` used.

        Returns:
            ``(B, L, P * P * C)`` in the units of ``images``.
        """
        if not self.norm_pix:
            return pred
        mean, std = _statistics(patchify(images, self.patch_size))
        return pred * std + mean


def _statistics(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every token's pixels."""
    std = (tokens.var(-1, keepdim=True) + 1e-6) ** 0.5
    return tokens.mean(-1, keepdim=True), std
