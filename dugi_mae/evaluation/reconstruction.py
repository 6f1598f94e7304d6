"""Error of a masked reconstruction, and of two fillings that learn nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dugi_mae.ops import gather_tokens, patchify


class ReconstructionErrors(NamedTuple):
    """Mean squared errors on the masked pixels of one image.

    Attributes:
        masked_mse: Of the model.
        mean_fill_mse: Of filling with the image's mean.
        nearest_fill_mse: Of filling each masked token with its nearest visible one.
    """

    masked_mse: float
    mean_fill_mse: float
    nearest_fill_mse: float


def fill_nearest_visible(tokens: Tensor, mask: Tensor) -> Tensor:
    """Fill every masked token with a copy of its nearest visible one.

    Args:
        tokens: ``(L, D)`` tokens of pixels in raster order.
        mask: ``(rows, cols)``, 1 = masked, ``L = rows * cols``.

    Returns:
        ``(L, D)``; among equally near visible tokens the first in raster order.
    """
    rows, cols = mask.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing='ij')
    places = torch.stack([y.flatten(), x.flatten()], dim=1).double()
    visible = (mask.flatten() == 0).nonzero().flatten().cpu()
    nearest = torch.cdist(places, places[visible]).argmin(dim=1)
    ids = visible[nearest].to(tokens.device)
    return gather_tokens(tokens[None], ids[None])[0]


def reconstruction_errors(
    image: Tensor, prediction: Tensor, mask: Tensor, patch_size: int = 16
) -> ReconstructionErrors:
    """Compare a prediction with an image on its masked pixels.

    Args:
        image: ``(C, H, W)``, in the units of the model's input.
        prediction: ``(C, H, W)``, in the same units.
        mask: ``(H / patch_size, W / patch_size)``, 1 = masked.
        patch_size: Side of a token in pixels.
    """
    image = image.float()
    target, pred = (
        patchify(x[None].float(), patch_size)[0] for x in (image, prediction)
    )
    mean = image.mean(dim=(1, 2)).repeat(patch_size**2).expand_as(target)
    masked = mask.flatten() == 1
    return ReconstructionErrors(
        *(
            (filled - target)[masked].square().mean().item()
            for filled in (pred, mean, fill_nearest_visible(target, mask))
        )
    )


def mean_errors(errors: list[ReconstructionErrors]) -> dict[str, float]:
    """Average the errors of a set, and compare the model with both fillings.

    Returns:
        ``masked_mse``, ``mean_fill_mse``, ``nearest_fill_mse``, each the mean over the
        images, ``ratio_to_mean_fill`` and ``ratio_to_nearest_fill``.
    """
    means = torch.tensor(errors, dtype=torch.float64).mean(0)
    model, mean, nearest = means
    return dict(
        **dict(zip(ReconstructionErrors._fields, means.tolist(), strict=True)),
        ratio_to_mean_fill=(model / mean).item(),
        ratio_to_nearest_fill=(model / nearest).item(),
    )
