"""How fresh weights are drawn."""

from __future__ import annotations

from torch import nn


def init_transformer_weights(module: nn.Module) -> None:
    """MAE's initialisation, to be used with :meth:`torch.nn.Module.apply`.

    Xavier-uniform for linear layers and for dense convolutions seen as linear layers
    on flattened patches, zero biases. Depthwise convolutions and norms keep torch's
    defaults.
    """
    dense_conv = isinstance(module, nn.Conv2d) and module.groups == 1
    if isinstance(module, nn.Linear) or dense_conv:
        nn.init.xavier_uniform_(module.weight.data.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
