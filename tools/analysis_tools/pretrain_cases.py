"""What the pre-training benchmark times: one model in one form, piece by piece."""

from __future__ import annotations

import copy

import torch
from benchmark import Case
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor

from dugi_mae.mm.build import build_from_config

STAGES = ('encoder forward', 'encoder forward + backward', 'pre-training step')


class PretrainCases:
    """The model of a config in one form, images, and the cases to time.

    Args:
        config: Of pre-training.
        impl: Form of the encoder.
        images: ``(B, C, H, W)``, normalised.
        bf16: Whether to autocast to bfloat16.
        compiled: Whether to compile the model.
    """

    def __init__(
        self,
        config: Config,
        impl: str,
        images: Tensor,
        bf16: bool = False,
        compiled: bool = False,
    ) -> None:
        config = copy.deepcopy(config)
        config.model.backbone.impl = impl
        torch.manual_seed(0)
        self.model = build_from_config(config)
        self.model.init_weights()
        self.model.to(images.device).train()
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self.optim = build_optim_wrapper(self.model, config.optim_wrapper)
        self.images = images
        self.mask = self.model.masking(images)
        self.autocast = torch.autocast(images.device.type, torch.bfloat16, enabled=bf16)
        self.encode = self.model.backbone
        self.loss = self.model.loss
        if compiled:
            self.encode, self.loss = map(torch.compile, (self.encode, self.loss))

    def encoder_forward(self) -> Tensor:
        """Visible tokens without gradients."""
        with torch.no_grad(), self.autocast:
            return self.encode(self.images, self.mask)

    def encoder_backward(self) -> None:
        """Visible tokens and the gradients of the encoder's weights."""
        with self.autocast:
            tokens = self.encode(self.images, self.mask)
        tokens.sum().backward()
        self.model.zero_grad()

    def step(self) -> None:
        """Masking, encoder, guidance, decoder, loss, backwards and optimiser."""
        with self.autocast:
            loss = self.loss(self.images)['loss']
        self.optim.update_params(loss)

    def cases(self) -> dict[str, Case]:
        """By the names of :data:`STAGES`."""
        calls = (self.encoder_forward, self.encoder_backward, self.step)
        return dict(zip(STAGES, calls, strict=True))

    def parts(self) -> dict[str, Case]:
        """Masking, and the guidance forward and backward, on their own."""
        parts: dict[str, Case] = dict(masking=lambda: self.model.masking(self.images))
        if self.model.guidance is not None:
            tokens = self.encoder_forward().float().requires_grad_()
            parts['guidance'] = lambda: self._guide(tokens)
        return parts

    def _guide(self, tokens: Tensor) -> None:
        with self.autocast:
            guided = self.model.guidance(tokens, self.images, self.mask)
        guided.sum().backward()
        self.model.zero_grad()


def random_images(
    model: dict, batch_size: int, size: int, device: torch.device
) -> Tensor:
    """Noise in place of normalised images, ``(B, C, size, size)``."""
    channels = model.backbone.get('in_channels', 3)
    torch.manual_seed(0)
    return torch.randn(batch_size, channels, size, size, device=device)
