"""Layer-wise learning-rate decay for our encoders in any host's models."""

from __future__ import annotations

from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from dugi_mae.errors import DuGIError

from .param_groups import GroupedOptimWrapperConstructor

#: Parts of names of parameters that are neither norms nor vectors, and yet no weights.
#: Not custom keys: mmengine would let them win over a shorter one of the user's.
_UNDECAYED = ('pos_embed', 'cls_token', 'rel_pos_bias')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(GroupedOptimWrapperConstructor):
    """Scale each parameter's learning rate by ``decay_rate ** (last - level)``.

    Levels come from ``model.backbone.get_layer_depth(name, 'backbone.')``; whatever is
    outside the backbone is at the last level and keeps the full rate. Norms, biases,
    other vectors, class tokens, position embeddings and relative position biases have
    no weight decay unless the config says otherwise. Tensors of equal settings share a
    group, and the optimizer is fused, as in
    :class:`~dugi_mae.mm.param_groups.GroupedOptimWrapperConstructor`. The settings of
    mmengine's default constructor work as usual, ``custom_keys`` above all: its
    ``lr_mult`` multiplies the layer's scale. As in mmengine, a key takes all that it
    matches out of the rules for norms and biases; add ``decay_mult=0.0`` to a key that
    matches only such. Registered in mmengine's root, so mmdet, mmseg and mmpretrain
    configs find it without a prefix.

    Args:
        optim_wrapper_cfg: As in mmengine.
        paramwise_cfg: ``layer_decay_rate`` (required, in (0, 1]) besides mmengine's.

    Raises:
        DuGIError: If the rate is missing or out of range, ``optimizer.lr`` is missing,
            or the backbone cannot tell its layers.

    Example:
        >>> optim_wrapper = dict(
        ...     optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
        ...     constructor='LayerDecayOptimWrapperConstructor',
        ...     paramwise_cfg=dict(layer_decay_rate=0.75))
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        paramwise_cfg = dict(
            norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0
        ) | dict(paramwise_cfg or {})
        rate = paramwise_cfg.get('layer_decay_rate')
        if rate is None or not 0 < rate <= 1:
            raise DuGIError(
                f'paramwise_cfg.layer_decay_rate={rate!r}: give a number in (0, 1], '
                'such as 0.75'
            )
        self.layer_decay_rate = rate
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        if self.base_lr is None:
            raise DuGIError('optimizer.lr is missing: layer decay needs it to scale')

    def __call__(self, model: nn.Module):
        """Build the optimizer wrapper of ``model``."""
        backbone = getattr(getattr(model, 'module', model), 'backbone', None)
        if not hasattr(backbone, 'get_layer_depth'):
            raise DuGIError(
                f'backbone {type(backbone).__name__} of {type(model).__name__} has no '
                'get_layer_depth: layer decay works with ConvViT and mmpretrain '
                'backbones that have it'
            )
        self._backbone = backbone
        self._names = {id(p): name for name, p in model.named_parameters()}
        return super().__call__(model)

    def adjust(self, group: dict) -> None:
        """Scale the learning rate of a group of one tensor."""
        name = self._names[id(group['params'][0])]
        level, num_levels = self._backbone.get_layer_depth(
            name.removeprefix('module.'), 'backbone.'
        )
        if any(part in name for part in _UNDECAYED) and not any(
            key in name and 'decay_mult' in settings
            for key, settings in self.paramwise_cfg.get('custom_keys', {}).items()
        ):
            group['weight_decay'] = 0.0
        scale = self.layer_decay_rate ** (num_levels - 1 - level)
        group['lr'] *= scale
        group['lr_scale'] = scale
