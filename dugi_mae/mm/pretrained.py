"""An ``init_cfg`` type that loads an encoder completely or not at all."""

from __future__ import annotations

import logging
import os

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from dugi_mae.checkpoints.pretrained import load_encoder
from dugi_mae.errors import DuGIError
from dugi_mae.zoo import WEIGHTS, weights_path


@WEIGHT_INITIALIZERS.register_module()
class DuGIPretrained:
    """Load a pre-trained encoder into a backbone; every tensor must fit.

    mmengine's ``Pretrained`` only warns about what does not match, and a model then
    trains from scratch unnoticed. This one counts what it loaded and raises when
    anything is missing, unexpected or mismatched. Position embeddings are resized and
    input channels folded as the backbone needs. Registered in mmengine's root, so that
    mmdet, mmseg and mmpretrain configs find it without a prefix.

    Args:
        checkpoint: See :func:`~dugi_mae.checkpoints.pretrained.load_encoder`; a name of
            :func:`dugi_mae.list_models` takes the weights that ship.
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
        self.checkpoint = checkpoint
        self.strict = strict
        self.sha256 = sha256

    def __call__(self, module: nn.Module) -> None:
        """Load the file into ``module``.

        Raises:
            DuGIError: If no file is named, it is another one than ``sha256`` says, or
                it does not fit.
        """
        if not self.checkpoint:
            raise DuGIError(
                f'no pre-trained file for {type(module).__name__}: name it with '
                '--cfg-options model.backbone.init_cfg.checkpoint=FILE, or train from '
                'scratch with --cfg-options model.backbone.init_cfg=None'
            )
        named = self.checkpoint in WEIGHTS
        path = weights_path(self.checkpoint) if named else self.checkpoint
        summary, warning = load_encoder(module, path, self.strict, self.sha256)
        if warning:
            print_log(warning, 'current', logging.WARNING)
        print_log(summary, 'current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'DuGIPretrained: {path}')
