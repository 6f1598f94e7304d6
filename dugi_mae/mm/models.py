"""The core's modules in mmpretrain's ``MODELS``, with mmengine's ``init_cfg``."""

from __future__ import annotations

import copy
import functools
import inspect

from mmengine.model import BaseModule
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry
from mmpretrain.models.selfsup.base import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from dugi_mae import models as core
from dugi_mae.errors import DuGIError
from dugi_mae.mm.build import build_module
from dugi_mae.models.autoencoder import derive_sizes
from dugi_mae.ops import patch_grid


def register(core_class: type[nn.Module], registry: Registry = MODELS) -> type:
    """Register a subclass of a core module that takes ``init_cfg``.

    Args:
        core_class: A plain module.
        registry: Where the subclass of the same name goes.
    """

    @functools.wraps(core_class.__init__)
    def init(self, *args, init_cfg: dict | None = None, **kwargs) -> None:
        # The core's own super().__init__() goes on to BaseModule's.
        core_class.__init__(self, *args, **kwargs)
        self.init_cfg = copy.deepcopy(init_cfg)

    members = dict(__init__=init, __doc__=core_class.__doc__, __module__=__name__)
    name = core_class.__name__
    return registry.register_module()(type(name, (core_class, BaseModule), members))


ConvViT = register(core.ConvViT)
MaskedConvViT = register(core.MaskedConvViT)
EntropyMasking = register(core.EntropyMasking)
GreyValueMasking = register(core.GreyValueMasking)
RandomMasking = register(core.RandomMasking)
AdaptiveFrequencyModulation = register(core.AdaptiveFrequencyModulation)
DualDomainGuidance = register(core.DualDomainGuidance)
MaskedDecoder = register(core.MaskedDecoder)
# In the root: mmdet and mmseg find it without a prefix.
ViTPyramid = register(core.ViTPyramid, ROOT_MODELS)


@MODELS.register_module()
class DuGIPretrainHead(core.MaskedPixelHead, BaseModule):
    """The core's :class:`~dugi_mae.models.MaskedPixelHead` with a configured loss.

    Args:
        loss: Config of a loss of mmpretrain; ``None`` is the mean squared error.
        norm_pix: Normalize every target token to zero mean and unit variance (off in
            the paper).
        patch_size: Side P of a token in pixels.
        in_channels: Channels C of the image.
    """

    def __init__(
        self,
        loss: dict | None = None,
        norm_pix: bool = False,
        patch_size: int = 16,
        in_channels: int = 3,
    ) -> None:
        super().__init__(norm_pix, patch_size, in_channels, build_module(loss))


@MODELS.register_module()
class DuGIMAE(core.MaskedAutoencoder, BaseSelfSupervisor):
    """Masked autoencoder for infrared images, every part swappable.

    ``guidance=None`` with random masking is MCMAE, with grey-value masking InfMAE.
    What follows from the backbone (widths, heads, channels, patch size) need not be
    given to the other parts.

    Args:
        masking: images -> :class:`~dugi_mae.ops.TokenMask`.
        backbone: (images, mask) -> visible tokens.
        neck: (tokens, mask, grid, masked_only) -> predicted tokens, all or masked ones.
        head: (prediction, images, mask) -> loss.
        guidance: (tokens, images, mask) -> tokens, or ``None``.
        data_preprocessor: As in mmpretrain. A one-channel model takes the first channel
            of images, mean and standard deviation.
        init_cfg: mmengine's initialization config.

    Raises:
        DuGIError: If a part contradicts the backbone.
    """

    def __init__(
        self,
        masking: dict | nn.Module,
        backbone: dict | nn.Module,
        neck: dict | nn.Module,
        head: dict | nn.Module,
        guidance: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        backbone = build_module(backbone)
        sizes = derive_sizes(backbone)
        defaults = dict(
            masking=_known(backbone, 'embed_dims'),
            guidance=_known(backbone, 'num_heads'),
            neck=_known(backbone, 'img_size'),
        )

        def build(name: str, part: dict | nn.Module | None) -> nn.Module | None:
            if isinstance(part, dict):
                part = _fill(name, part, sizes[name], defaults.get(name, {}))
            return build_module(part)

        if not isinstance(data_preprocessor, nn.Module):
            data_preprocessor = {
                'type': 'SelfSupDataPreprocessor',
                **(data_preprocessor or {}),
            }
            if getattr(backbone, 'in_channels', 3) == 1:
                for key in ('mean', 'std'):
                    if data_preprocessor.get(key) is not None:
                        data_preprocessor[key] = data_preprocessor[key][:1]
        BaseSelfSupervisor.__init__(
            self,
            backbone=backbone,
            neck=build('neck', neck),
            head=build('head', head),
            data_preprocessor=build_module(data_preprocessor),
            init_cfg=init_cfg,
        )
        self.masking = build('masking', masking)
        self.guidance = build('guidance', guidance)
        self.in_channels = getattr(backbone, 'in_channels', self.in_channels)
        if isinstance(data_preprocessor, nn.Module):
            if getattr(data_preprocessor, '_enable_normalize', False):
                self.mean = data_preprocessor.mean.flatten()[0].item()
                self.std = data_preprocessor.std.flatten()[0].item()
        elif data_preprocessor.get('mean') is not None:
            self.mean, self.std = (
                float(data_preprocessor[k][0]) for k in ('mean', 'std')
            )

    def extract_feat(self, inputs: Tensor | list[Tensor]) -> Tensor:
        """Visible tokens of the encoder, ``(B, C, H, W)`` -> ``(B, K, D)``."""
        images = self._images(inputs)
        return self.backbone(images, self.masking(images))

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs
    ) -> dict[str, Tensor]:
        """Masked-pixel loss of a batch, ``dict(loss=scalar)``."""
        return dict(loss=core.MaskedAutoencoder.forward(self, self._images(inputs)))

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Reconstruct a batch for evaluation.

        Returns:
            One sample an image with the fields ``image``, ``prediction`` ``(C, H, W)``
            and ``token_mask`` ``(rows, cols)``, 1 = masked.
        """
        images = self._images(inputs)
        result = self.reconstruct(images)
        grid = patch_grid(images, self.head.patch_size)
        samples = data_samples or [DataSample() for _ in images]
        for i, sample in enumerate(samples):
            sample.set_field(images[i], 'image')
            sample.set_field(result.prediction[i], 'prediction')
            sample.set_field(result.token_mask.mask[i].reshape(grid), 'token_mask')
        return samples

    def forward(
        self,
        inputs: Tensor | list[Tensor],
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[DataSample]:
        """Unified entry: ``mode`` is ``'tensor'``, ``'loss'`` or ``'predict'``."""
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return BaseSelfSupervisor.forward(self, inputs, data_samples, mode)

    def _images(self, inputs: Tensor | list[Tensor]) -> Tensor:
        """The one view that this method needs of mmpretrain's list of views."""
        images = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        # Our loader repeats grey three times unless it is told otherwise.
        return images[:, :1] if self.in_channels == 1 else images


def _known(backbone: nn.Module, name: str) -> dict[str, int]:
    value = getattr(backbone, name, None)
    if isinstance(value, tuple):  # mmpretrain's ViT keeps both sides of its images
        value = value[0]
    return {} if value is None else {name: value}


def _fill(name: str, cfg: dict, derived: dict, defaults: dict) -> dict:
    """Complete the config of a part by what follows from the backbone.

    Args:
        name: Of the part, for the message.
        cfg: As the user gave it.
        derived: What must be as it is; a part that has no such argument is not asked.
        defaults: What may be chosen otherwise.
    """
    kind = cfg.get('type')
    cls = MODELS.get(kind) if isinstance(kind, str) else kind
    if cls is None:  # mmengine's own error names it
        return cfg
    arguments = inspect.signature(cls).parameters
    for key, value in derived.items():
        if key in cfg and cfg[key] != value:
            raise DuGIError(
                f'model.{name}.{key}={cfg[key]!r}, but the backbone has {value}: leave '
                f'model.{name}.{key} out, it follows from the backbone'
            )
    return {k: v for k, v in (defaults | derived).items() if k in arguments} | cfg
