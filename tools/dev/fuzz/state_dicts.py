"""Random edits of state dicts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fuzz.edits import ODD_VALUES, typo


def _other_shape(value: Tensor, rng: random.Random) -> Tensor:
    return rng.choice(
        (value[None], value.flatten(), value[:0], value.T.contiguous(), value.sum())
        + ((value[:-1], torch.cat([value, value])) if value.dim() else ())
    )


def _other_type(value: Tensor, rng: random.Random) -> Tensor:
    kinds = (torch.int8, torch.bool, torch.complex64, torch.float16, torch.float64)
    return value.to(rng.choice(kinds))


def _not_finite(value: Tensor, rng: random.Random) -> Tensor:
    return torch.full_like(value.float(), rng.choice((math.nan, math.inf, 1e38)))


def _no_tensor(value: Tensor, rng: random.Random) -> object:
    odd = (*ODD_VALUES[:-8], np.zeros(3), {'weight': value}, [value], slice(3))
    return rng.choice(odd)


def _odd_tensor(value: Tensor, rng: random.Random) -> Tensor:
    makers: tuple[Callable[[], Tensor], ...] = (
        value.to_sparse,
        lambda: value.to('meta'),
        lambda: torch.zeros(1).expand(10**6, 10**6),
        lambda: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
    )
    return rng.choice(makers)()


def edit_state_dict(state_dict: dict, rng: random.Random) -> tuple[dict, str]:
    """Change a few tensors of a state dict: gone, renamed, of another shape or kind."""
    result, notes = dict(state_dict), []
    for _ in range(rng.choice((1, 1, 2, 5))):
        key = rng.choice([k for k in result if isinstance(result[k], Tensor)])
        what = rng.choice(('lose', 'rename', 'number', 'copy', 'value'))
        notes.append(f'{what} {key}')
        if what == 'value':
            edits = (
                _other_shape,
                _other_shape,
                _other_type,
                _not_finite,
                _no_tensor,
                _odd_tensor,
            )
            edit = rng.choice(edits)
            result[key] = edit(result[key], rng)
            notes[-1] = f'{edit.__name__[1:]} {key}'
        elif what == 'copy':
            result[typo(key, rng)] = result[key].clone()
        else:
            value = result.pop(key)
            if what == 'rename':
                result[typo(key, rng)] = value
            elif what == 'number':
                result[rng.choice((0, None, ('a', 1), 1.5, b'a'))] = value
    return result, '; '.join(notes)
