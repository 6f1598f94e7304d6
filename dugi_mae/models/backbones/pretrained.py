"""An ``init_cfg`` type that loads an encoder completely or not at all."""

from __future__ import annotations

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.utils.checkpoint import read_state_dict

#: Tensors of the pre-trained encoder that the dense one has no use for.
PRETRAINING_ONLY = ('norm.', 'stage1_output_decode.', 'stage2_output_decode.')
#: Tensors that a backbone adds for fine-tuning; they start as they are.
FINE_TUNING_ONLY = '.rel_pos_bias'


@WEIGHT_INITIALIZERS.register_module()
class DuGIPretrained:
    """Load a pre-trained encoder into a backbone; every tensor must fit.

    mmengine's ``Pretrained`` only warns about what does not match, and a model then
    trains from scratch unnoticed. This one counts what it loaded and raises when
    anything is missing, left over or of another shape. Position embeddings are resized
    and input channels folded as the backbone needs. Registered in mmengine's root, so
    that mmdet, mmseg and mmpretrain configs find it without a prefix.

    Args:
        checkpoint: A pre-training checkpoint (its ``backbone.*`` part is taken), any
            mm-style model with such a part, or a bare encoder.

    Example:
        >>> init_cfg = dict(type='DuGIPretrained', checkpoint='X/epoch_100.pth')
    """

    def __init__(self, checkpoint: str | None = None) -> None:
        self.checkpoint = checkpoint

    def __call__(self, module: nn.Module) -> None:
        """Load the file into ``module``.

        Raises:
            DuGIError: If no file is named, or it does not fit completely.
        """
        name = type(module).__name__
        if not self.checkpoint:
            raise DuGIError(
                f'no pre-trained file for {name}: name it with --cfg-options '
                'model.backbone.init_cfg.checkpoint=FILE, or train from scratch with '
                '--cfg-options model.backbone.init_cfg=None'
            )
        state_dict = read_state_dict(self.checkpoint)
        prefix = 'backbone.'
        if any(key.startswith(prefix) for key in state_dict):
            state_dict = {
                key[len(prefix) :]: value
                for key, value in state_dict.items()
                if key.startswith(prefix)
            }
        expected = module.state_dict()
        dropped = [
            key
            for key in state_dict
            if key.startswith(PRETRAINING_ONLY) and key not in expected
        ]
        for key in dropped:
            del state_dict[key]
        self._load(module, state_dict, name)
        note = f', {len(dropped)} used in pre-training only left out' if dropped else ''
        if new := len(expected.keys() - state_dict.keys()):
            note += f', {new} of relative position bias start at zero'
        print_log(
            f'Loaded {len(state_dict)}/{len(expected)} tensors of {name} from '
            f'{self.checkpoint}{note}.',
            logger='current',
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'DuGIPretrained: {self.checkpoint}')

    def _load(self, module: nn.Module, state_dict: dict, name: str) -> None:
        try:
            missing, left_over = module.load_state_dict(state_dict, strict=False)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise DuGIError(
                f'{self.checkpoint} does not fit {name}: {reason} Use the arch it was '
                'pre-trained with'
            ) from error
        missing = [key for key in missing if not key.endswith(FINE_TUNING_ONLY)]
        for what, keys in (('lacks', missing), ('has, and the model not,', left_over)):
            if keys:
                more = f' and {len(keys) - 3} more' if len(keys) > 3 else ''
                raise DuGIError(
                    f'{self.checkpoint} {what} {", ".join(keys[:3])}{more}: it is not '
                    f'an encoder for this {name}; check arch and file'
                )
