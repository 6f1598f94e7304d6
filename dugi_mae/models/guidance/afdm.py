"""Adaptive Frequency-Domain Modulation (AFDM): a learned radial filter."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dugi_mae.errors import check_choice, check_range
from dugi_mae.models.layers import TokenEmbed, init_transformer_weights
from dugi_mae.ops import (
    FILTER_MODES,
    TokenMask,
    filter_images,
    grid_mask,
    patch_grid,
    radial_filter,
    spectrum_distance,
)


def _inverse_softplus(value: float) -> float:
    return math.log(math.expm1(value))


class AdaptiveFrequencyModulation(nn.Module):
    r"""Filter the image by a learned radial gain and embed it (paper, Eq. 3 and 4).

    The gain has three trained scalars: radius r and attenuation rate :math:`\beta`
    (both positive through a softplus) and attenuation degree :math:`\alpha` (in
    :math:`(0, 1)` through a sigmoid). Only :math:`\beta / r^2` is identifiable. They
    should have no weight decay: it would pull them to arbitrary places.

    Args:
        embed_dims: D, the encoder's last width.
        mode: ``'highpass'`` attenuates low frequencies (the paper's text),
            ``'lowpass'`` is the printed equation.
        align: ``'gather'`` takes the frequency tokens at the visible places;
            ``'pool'`` averages the raster order down to K (ablation, close to the
            released code).
        source: ``'image'`` filters the whole image, so masked pixels reach the decoder
            through the guidance, as in the paper; ``'visible'`` first fills masked
            patches with the mean of the visible pixels (ablation).
        patch_size: Side of a token in pixels.
        in_channels: Channels of the image.
        radius: Start value of r.
        alpha: Start value of alpha.
        beta: Start value of beta.
    """

    def __init__(
        self,
        embed_dims: int = 768,
        mode: str = 'highpass',
        align: str = 'gather',
        source: str = 'image',
        patch_size: int = 16,
        in_channels: int = 3,
        radius: float = 0.5,
        alpha: float = 0.62,
        beta: float = 7.4,
    ) -> None:
        super().__init__()
        check_choice('mode', mode, FILTER_MODES)
        check_choice('align', align, ('gather', 'pool'))
        check_choice('source', source, ('image', 'visible'))
        check_range('alpha', alpha, 1e-6, 1 - 1e-6)
        # Beyond that the softplus is the identity, and its inverse overflows.
        for name, value in (('radius', radius), ('beta', beta)):
            check_range(name, value, 1e-6, 500)
        self.mode = mode
        self.align = align
        self.source = source
        self.patch_size = patch_size
        # Of shape (1,): FSDP does not take parameters without a dimension.
        self.raw_radius = nn.Parameter(torch.tensor([_inverse_softplus(radius)]))
        self.raw_alpha = nn.Parameter(torch.tensor([math.log(alpha / (1 - alpha))]))
        self.raw_beta = nn.Parameter(torch.tensor([_inverse_softplus(beta)]))
        self.patch_embed = TokenEmbed(in_channels, embed_dims, patch_size)
        self.patch_embed.apply(init_transformer_weights)
        self.register_load_state_dict_pre_hook(self._add_dimension)

    @staticmethod
    def _add_dimension(module: nn.Module, state_dict: dict, prefix: str, *_) -> None:
        """Load the scalars of the weights that we shipped first."""
        for name in ('raw_radius', 'raw_alpha', 'raw_beta'):
            value = state_dict.get(prefix + name)
            if value is not None and value.ndim == 0:
                state_dict[prefix + name] = value.reshape(1)

    @property
    def radius(self) -> Tensor:
        """Radius r > 0, in units of the largest spectral distance."""
        return F.softplus(self.raw_radius).squeeze()

    @property
    def alpha(self) -> Tensor:
        """Attenuation degree in [0, 1], the ends by rounding alone."""
        return self.raw_alpha.sigmoid().squeeze()

    @property
    def beta(self) -> Tensor:
        """Attenuation rate > 0."""
        return F.softplus(self.raw_beta).squeeze()

    def gain(self, distance: Tensor) -> Tensor:
        """H at given spectral distances (any shape), rebuilt at every call."""
        return radial_filter(distance, self.radius, self.alpha, self.beta, self.mode)

    def modulate(self, images: Tensor) -> Tensor:
        """S: the filtered images, ``(B, C, H, W)`` -> ``(B, C, H, W)`` float32."""
        distance = spectrum_distance(*images.shape[-2:], images.device)
        return filter_images(images, self.gain(distance))

    def _fill_masked(self, images: Tensor, token_mask: TokenMask) -> Tensor:
        grid = patch_grid(images, self.patch_size)
        visible = grid_mask(token_mask, grid, self.patch_size).to(images.dtype)
        count = visible.sum(dim=(2, 3), keepdim=True)
        mean = (images * visible).sum(dim=(2, 3), keepdim=True) / count
        return images * visible + mean * (1 - visible)

    def forward(self, tokens: Tensor, images: Tensor, token_mask: TokenMask) -> Tensor:
        """Frequency tokens of the visible places.

        Args:
            tokens: ``(B, K, D)`` visible tokens; unused, every guidance takes them.
            images: ``(B, C, H, W)``, H and W multiples of ``patch_size``.
            token_mask: Which tokens are visible.

        Returns:
            ``(B, K, D)``; with ``align='gather'`` row k is the place
            ``token_mask.ids_keep[:, k]``.
        """
        if self.source == 'visible':
            images = self._fill_masked(images, token_mask)
        # Filtered in fp32, embedded in the dtype that the model was cast to.
        filtered = self.modulate(images).to(self.patch_embed.proj.weight.dtype)
        ids = token_mask.ids_keep
        if self.align == 'gather':
            return self.patch_embed(filtered, ids)
        frequency = self.patch_embed(filtered).transpose(1, 2)
        return F.adaptive_avg_pool1d(frequency, ids.shape[1]).transpose(1, 2)
