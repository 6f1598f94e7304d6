"""An ``init_cfg`` type that loads an encoder completely or not at all."""

from __future__ import annotations

import logging
import os
import re

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.checkpoints.io import file_sha256, read_state_dict
from dugi_mae.checkpoints.fit import STRICT, load_and_compare

#: Tensors of pre-training checkpoints, ours and the published ones, that the dense
#: encoder has no use for.
PRETRAINING_ONLY = (
    'norm.',
    'stage1_output_decode.',
    'stage2_output_decode.',
    'decoder',
    'mask_token',
    'patch_embed.',
    'var_',
)
#: Tensors of fine-tuned MCMAE encoders that the converter folds in or leaves out.
CONVERTED = (
    '.gamma_1',
    '.gamma_2',
    '.relative_position_index',
    '.relative_position_bias_table',
)
#: Tensors that a backbone adds for fine-tuning; they start as they are.
FINE_TUNING_ONLY = re.compile(r'.*\.(rel_pos_bias|gamma_1|gamma_2)|down4\..*')


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
            mm-style model with such a part, a published MCMAE, InfMAE or DuGI-MAE file
            or a bare encoder; ``.pth`` or ``.safetensors``.
        strict: ``'exact'``, or ``'complete'`` to let the file hold more than the
            backbone has, or ``'warn'`` to load what fits and only log the rest.
        sha256: What the file must have; ``None`` takes any.

    Example:
        >>> init_cfg = dict(type='DuGIPretrained', checkpoint='X/epoch_100.pth')
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike | None = None,
        strict: str = 'exact',
        sha256: str | None = None,
    ) -> None:
        for key, value, wanted in (
            ('checkpoint', checkpoint, 'the path of a file'),
            ('sha256', sha256, '64 hexadecimal digits in quotes'),
        ):
            if not isinstance(value, (str, os.PathLike, type(None))):
                raise DuGIError(f'DuGIPretrained got {key}={value!r}: give {wanted}')
        check_choice('strict', strict, STRICT)
        self.checkpoint = checkpoint
        self.strict = strict
        self.sha256 = sha256

    def __call__(self, module: nn.Module) -> None:
        """Load the file into ``module``.

        Raises:
            DuGIError: If no file is named, it is another one than ``sha256`` says, or
                it does not fit.
        """
        name = type(module).__name__
        if not self.checkpoint:
            raise DuGIError(
                f'no pre-trained file for {name}: name it with --cfg-options '
                'model.backbone.init_cfg.checkpoint=FILE, or train from scratch with '
                '--cfg-options model.backbone.init_cfg=None'
            )
        state_dict = read_state_dict(self.checkpoint)
        digest = file_sha256(self.checkpoint)
        if self.sha256 and digest != self.sha256.lower():
            raise DuGIError(
                f'{self.checkpoint} has sha256 {digest}, not {self.sha256}: it is '
                'another file or damaged, get it again'
            )
        expected = module.state_dict()
        state_dict, dropped = self._encoder(state_dict, expected)
        fit = load_and_compare(module, state_dict, FINE_TUNING_ONLY.fullmatch)
        if trouble := fit.trouble(self.strict):
            message = f'{self.checkpoint} does not fit {name}: it {trouble}: '
            if self.strict != 'warn':
                raise DuGIError(message + fit.cause)
            print_log(message + fit.cause, 'current', logging.WARNING)
        loaded = expected.keys() & state_dict.keys()
        note = f', {dropped} used in pre-training only left out' if dropped else ''
        lacking = expected.keys() - state_dict.keys()
        if new := sum(map(bool, map(FINE_TUNING_ONLY.fullmatch, lacking))):
            note += f', {new} used in fine-tuning only start fresh'
        print_log(
            f'Loaded {len(loaded) - len(fit.misshapen)}/{len(expected)} tensors of '
            f'{name} from {self.checkpoint}{note}, sha256 {digest}.',
            logger='current',
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'DuGIPretrained: {self.checkpoint}')

    def _encoder(
        self, state_dict: dict[str, Tensor], expected: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], int]:
        """The encoder's part of a file, and how many tensors of it have no use here."""
        prefix = 'backbone.'
        if any(key.startswith(prefix) for key in state_dict):
            state_dict = {
                key[len(prefix) :]: value
                for key, value in state_dict.items()
                if key.startswith(prefix)
            }
        kept = {
            key: value
            for key, value in state_dict.items()
            if key in expected or not key.startswith(PRETRAINING_ONLY)
        }
        dropped = len(state_dict) - len(kept)
        if any(k.endswith(CONVERTED) and k not in expected for k in kept):
            # The converter imports the models, so it cannot be imported above.
            from dugi_mae.checkpoints.convert import convert_state_dict

            try:
                kept = convert_state_dict(state_dict).state_dict
            except DuGIError as error:
                raise DuGIError(f'{self.checkpoint}: {error}') from error
        return kept, dropped
