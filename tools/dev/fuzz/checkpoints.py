"""Fuzz target that converts, loads, publishes and resumes damaged checkpoints."""

from __future__ import annotations

import contextlib
import io
import math
import random
import reprlib
import runpy
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from safetensors.torch import save as save_safetensors
from torch import Tensor

from dugi_mae import enable_safe_loading
from dugi_mae.checkpoints.io import load_weights
from dugi_mae.mm.models import ConvViT
from dugi_mae.mm.resume import check_intact, find_checkpoint
from dugi_mae.models import MaskedConvViT, MaskedDecoder
from fuzz.configs import ARCH, IMG_SIZE, build_toy
from fuzz.edits import ODD_VALUES, edit_bytes, typo
from fuzz.trial import Trial

TOOLS = Path(__file__).resolve().parents[2] / 'model_converters'


@cache
def tool(name: str) -> Callable[[], None]:
    """``main`` of a command-line tool."""
    return runpy.run_path(str(TOOLS / f'{name}.py'))['main']


def run_tool(name: str, *arguments: object) -> None:
    """Call a tool with these arguments."""
    sys.argv = [name, *map(str, arguments)]
    with contextlib.redirect_stdout(None), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        tool(name)()


@cache
def published() -> dict[str, Tensor]:
    """A toy MCMAE as published: encoder and decoder under their bare names."""
    torch.manual_seed(0)
    encoder = MaskedConvViT(ARCH, img_size=IMG_SIZE)
    decoder = MaskedDecoder(16, 16, 1, 2, img_size=IMG_SIZE)
    return {**encoder.state_dict(), **decoder.state_dict()}


@cache
def pretrained() -> dict[str, Tensor]:
    """Weights of the toy pre-training model."""
    return build_toy().state_dict()


def odd_value(value: Tensor, rng: random.Random) -> object:
    """What may stand for a tensor: another shape, type or kind, or no tensor."""
    dtypes = (torch.int8, torch.bool, torch.complex64, torch.float16, torch.float64)
    shapes = [value[None], value.flatten(), value[:0], value.T, value.sum()]
    odd = (*ODD_VALUES[:-8], np.zeros(3), {'weight': value}, [value], slice(3))
    make = rng.choice(
        (
            lambda: rng.choice(shapes).contiguous(),
            lambda: value.to(rng.choice(dtypes)),
            lambda: torch.full_like(value.float(), rng.choice((math.nan, 1e38))),
            lambda: rng.choice(odd),
            value.to_sparse,
            lambda: value.to('meta'),
            lambda: torch.zeros(1).expand(10**6, 10**6),
            lambda: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
        )
    )
    return make()


def edit_state_dict(state_dict: dict, rng: random.Random) -> tuple[dict, str]:
    """Change a few tensors of a state dict: gone, renamed, of another shape or kind."""
    result, notes = dict(state_dict), []
    for _ in range(rng.choice((1, 1, 2, 5))):
        key = rng.choice([k for k, v in result.items() if v is state_dict.get(k)])
        what = rng.choice(('lose', 'rename', 'number', 'copy', 'value', 'value'))
        notes.append(f'{what} {key}')
        value = result.pop(key)
        if what == 'value':
            result[key] = odd_value(value, rng)
        elif what == 'copy':
            result |= {key: value, typo(key, rng): value.clone()}
        elif what == 'rename':
            result[typo(key, rng)] = value
        elif what == 'number':
            result[rng.choice((0, None, ('a', 1), 1.5, b'a'))] = value
    return result, '; '.join(notes)


def odd_envelopes(good: dict) -> tuple:
    """Contents of files in which the tensors do not lie where they should."""
    return (
        *(list(good.values()), None, 'weights', {}, {'model': {'model': good}}),
        *({'state_dict': odd} for odd in (None, [], 'x', 5, {}, {'a': {}})),
        *({'model': good, 'state_dict': odd} for odd in (None, {}, good)),
        {'state_dict': {f'x.{k}': v for k, v in good.items()}},
        *({'state_dict': good, 'meta': odd} for odd in (None, 3, [1], {1: 2})),
        {'state_dict': good, 'message_hub': Config, 'optimizer': random.Random(0)},
    )


def damaged_checkpoint(trial: Trial, good: dict, name: str) -> Path:
    """Write a checkpoint with damaged tensors, envelope or bytes."""
    rng = trial.rng
    how = rng.choice(('tensors', 'tensors', 'bytes', 'envelope'))
    tensors = trial.noted(edit_state_dict(good, rng)) if how == 'tensors' else good
    key = rng.choice(('state_dict', 'model', None))
    content = {key: tensors, 'meta': dict(epoch=1)} if key else tensors
    if how == 'envelope':
        content = rng.choice(odd_envelopes(good))
        trial.notes.append(f'envelope {reprlib.repr(content)}')
    file, ending = io.BytesIO(), rng.choice(('pth', 'pth', 'bin', 'safetensors'))
    torch.save(content, file, _use_new_zipfile_serialization=rng.random() < 0.8)
    data = file.getvalue()
    if ending == 'safetensors':
        with contextlib.suppress(Exception):  # not every content can be in such a file
            data = save_safetensors({k: v.clone() for k, v in tensors.items()})
    if how == 'bytes':
        data = trial.noted(edit_bytes(data, rng))
    return trial.write(f'{name}.{ending}', data)


def _convert(trial: Trial) -> None:
    path = damaged_checkpoint(trial, published(), 'a')
    out = trial.folder / trial.rng.choice(('b.pth', 'b.safetensors'))
    target = trial.rng.choice(('backbone', 'pretrain'))
    run_tool('convert_checkpoint', path, out, '--to', target)


def _backbone(trial: Trial) -> None:
    rng = trial.rng
    prefix = rng.choice(('', 'backbone.'))
    good = {prefix + k: v for k, v in published().items()}
    init_cfg = dict(
        type='DuGIPretrained',
        checkpoint=str(damaged_checkpoint(trial, good, 'a')),
        strict=rng.choice(('exact', 'complete', 'warn')),
    )
    side, channels = rng.choice((IMG_SIZE, 96)), rng.choice((1, 3))
    ConvViT(ARCH, channels, img_size=side, init_cfg=init_cfg).init_weights()


def _model(trial: Trial) -> None:
    load_weights(build_toy(), damaged_checkpoint(trial, pretrained(), 'a'))


def _publish(trial: Trial) -> None:
    path = damaged_checkpoint(trial, pretrained(), 'a')
    out = trial.folder / trial.rng.choice(('b.pth', 'b.safetensors'))
    run_tool('publish_model', path, out)


def _resume(trial: Trial) -> None:
    rng = trial.rng
    paths = [damaged_checkpoint(trial, pretrained(), f'epoch_{n}') for n in (1, 2)]
    note = rng.choice((str(paths[1]), f'{paths[0]}\n', 'gone.pth', '', 'a\0b')).encode()
    if rng.random() < 0.3:
        note = trial.noted(edit_bytes(note or b' ', rng))
    trial.write('last_checkpoint', note)
    if found := find_checkpoint(trial.folder):
        check_intact(found)
        with enable_safe_loading():
            CheckpointLoader.load_checkpoint(found, 'cpu')


def fuzz_checkpoint(trial: Trial) -> None:
    """Convert, load, publish or resume from a damaged checkpoint."""
    use = trial.rng.choice((_convert, _convert, _backbone, _backbone, _model, _publish))
    use = _resume if trial.rng.random() < 0.15 else use
    trial.notes.append(use.__name__[1:])
    use(trial)
