"""How well masked pixels are painted, against two fillings that learn nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch import Tensor

from dugi_mae.ops import gather_tokens, patchify


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


@METRICS.register_module()
class ReconstructionMetric(BaseMetric):
    """Mean squared error on masked pixels, in the units of the model's input.

    Reports ``masked_mse`` of the model, of filling with each image's own mean
    (``mean_fill_mse``) and of filling each masked token with its nearest visible one
    (``nearest_fill_mse``), and the model's ratio to both. All three are means over the
    images of a set. Registered in mmengine's root.

    Args:
        patch_size: Side of a token in pixels.
        collect_device: As in mmengine.
        prefix: As in mmengine.
    """

    default_prefix = 'reconstruction'

    def __init__(
        self,
        patch_size: int = 16,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.patch_size = patch_size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Reduce a batch of predictions to three numbers an image."""
        for sample in data_samples:
            image, mask = sample['image'].float(), sample['token_mask']
            target, pred = (
                patchify(x[None].float(), self.patch_size)[0]
                for x in (image, sample['prediction'])
            )
            mean = image.mean(dim=(1, 2)).repeat(self.patch_size**2)
            masked = mask.flatten() == 1
            self.results.append(
                [
                    (filled - target)[masked].square().mean().item()
                    for filled in (
                        pred,
                        mean.expand_as(target),
                        fill_nearest_visible(target, mask),
                    )
                ]
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average over the set."""
        model, mean, nearest = torch.tensor(results, dtype=torch.float64).mean(0)
        return {
            'masked_mse': model.item(),
            'mean_fill_mse': mean.item(),
            'nearest_fill_mse': nearest.item(),
            'ratio_to_mean_fill': (model / mean).item(),
            'ratio_to_nearest_fill': (model / nearest).item(),
        }
