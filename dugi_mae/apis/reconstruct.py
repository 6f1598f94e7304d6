"""Reconstruct images with a pre-trained model, without a runner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from dugi_mae.apis.build import build_model, open_config
from dugi_mae.models.autoencoder import DuGIMAE


def init_pretrain_model(
    config: str | Path | Config, checkpoint: str | Path, device: str = 'cpu'
) -> DuGIMAE:
    """Build a pre-training model and load its checkpoint completely.

    Args:
        config: A config of ``configs/pretrain`` or its path.
        checkpoint: What ``tools/train.py`` wrote for it.
        device: Where the model runs.

    Returns:
        The model in eval mode.

    Raises:
        DuGIError: If the checkpoint does not fit the config.
    """
    return build_model(open_config(config), checkpoint, device)


def normalise(model: DuGIMAE, images: np.ndarray) -> Tensor:
    """Bring grey or colour images to the model's input units.

    Args:
        model: Whose preprocessor to use.
        images: ``(B, H, W, C)``, 0..255.

    Returns:
        ``(B, C, H, W)`` on the model's device.
    """
    inputs = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return model.data_preprocessor(dict(inputs=inputs, data_samples=None))['inputs']
