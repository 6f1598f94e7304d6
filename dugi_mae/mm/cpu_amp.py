"""Mixed precision on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 (AMX or AVX512-BF16).

    Others emulate it, which is slower than float32.
    """
    names = ('_is_amx_tile_supported', '_is_avx512_bf16_supported')
    return any(getattr(torch.cpu, name, bool)() for name in names)


@OPTIM_WRAPPERS.register_module()
class CpuAmpOptimWrapper(OptimWrapper):
    """mmengine's wrapper with bfloat16 autocast on a CPU, which its own refuses.

    bfloat16 has the range of float32: there is no loss scaler. Registered in mmengine's
    root.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass of a training step."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
