"""Fuzz target that converts, loads, publishes and resumes damaged checkpoints."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import random
import reprlib
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from safetensors.torch import save as save_safetensors
from torch import Tensor

from dugi_mae.apis.build import build_from_config
from dugi_mae.checkpoints.io import load_weights
from dugi_mae.mm.resume import check_whole, find_checkpoint
from dugi_mae.models import ConvViT, MaskedConvViT, MaskedDecoder
from fuzz.configs import ARCH, IMG_SIZE, pretrain_config
from fuzz.edits import edit_bytes
from fuzz.state_dicts import edit_state_dict
from fuzz.trial import Trial

TOOLS = Path(__file__).resolve().parents[2] / 'model_converters'


@cache
def tool(name: str) -> ModuleType:
    """A command-line tool as a module."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_tool(name: str, *arguments: object) -> None:
    """Call a tool's ``main`` with these arguments."""
    sys.argv = [name, *map(str, arguments)]
    with contextlib.redirect_stdout(None), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        tool(name).main()


@cache
def published() -> dict[str, Tensor]:
    """A toy MCMAE as published: encoder and decoder under their bare names."""
    torch.manual_seed(0)
    encoder = MaskedConvViT(ARCH, img_size=IMG_SIZE)
    decoder = MaskedDecoder(16, 16, 1, 2, img_size=IMG_SIZE)
    return {**encoder.state_dict(), **decoder.state_dict()}


def damaged_checkpoint(trial: Trial, good: dict, name: str) -> Path:
    """Write a checkpoint with damaged tensors, envelope or bytes."""
    rng = trial.rng
    how = rng.choice(('tensors', 'tensors', 'bytes', 'envelope'))
    state_dict = good
    if how == 'tensors':
        state_dict = trial.noted(edit_state_dict(good, rng))
    key = rng.choice(('state_dict', 'model', None))
    content = state_dict if key is None else {key: state_dict, 'meta': dict(epoch=1)}
    if how == 'envelope':
        content = rng.choice(
            (
                *(list(good.values()), None, next(iter(good.values())), 'weights', {}),
                *({'state_dict': odd} for odd in (None, [], 'x', 5, {}, {'a': {}})),
                *({'model': good, 'state_dict': odd} for odd in (None, {}, good)),
                *(
                    {'state_dict': {f'{prefix}{k}': v for k, v in good.items()}}
                    for prefix in ('module.', 'x.', 'backbone.', '.')
                ),
                *({'state_dict': good, 'meta': odd} for odd in (None, 3, [1], {1: 2})),
                {'model': {'model': good}},
                {
                    'state_dict': good,
                    'message_hub': Config,
                    'optimizer': random.Random(0),
                },
            )
        )
        trial.notes.append(f'envelope {reprlib.repr(content)}')
    tensors = isinstance(state_dict, dict) and all(
        isinstance(k, str)
        and isinstance(v, Tensor)
        and v.layout is torch.strided
        and v.device.type == 'cpu'
        and not v.is_quantized
        and v.numel() < 10**6
        for k, v in state_dict.items()
    )
    if how != 'envelope' and tensors and rng.random() < 0.3:
        name = f'{name}.safetensors'
        data = save_safetensors(
            {k: v.contiguous().clone() for k, v in state_dict.items()}
        )
    else:
        name = f'{name}.{rng.choice(("pth", "pth", "pth", "bin"))}'
        file = io.BytesIO()
        modern = rng.random() < 0.8
        torch.save(content, file, _use_new_zipfile_serialization=modern)
        data = file.getvalue()
    if how == 'bytes':
        data = trial.noted(edit_bytes(data, rng))
    return trial.write(name, data)


def fuzz_checkpoint(trial: Trial) -> None:
    """Convert, load, publish or resume from a damaged checkpoint."""
    rng = trial.rng
    kind = rng.choice(
        ('convert', 'convert', 'backbone', 'backbone', 'model', 'resume', 'publish')
    )
    trial.notes.append(kind)
    if kind == 'convert':
        path = damaged_checkpoint(trial, published(), 'a')
        out = trial.folder / rng.choice(('b.pth', 'b.safetensors'))
        run_tool(
            'convert_checkpoint',
            path,
            out,
            '--to',
            rng.choice(('backbone', 'pretrain')),
        )
    elif kind == 'backbone':
        prefix = rng.choice(('', 'backbone.'))
        good = {prefix + k: v for k, v in published().items()}
        path = damaged_checkpoint(trial, good, 'a')
        init_cfg = dict(
            type='DuGIPretrained',
            checkpoint=str(path),
            strict=rng.choice(('exact', 'complete', 'warn')),
        )
        side, channels = rng.choice((IMG_SIZE, 96)), rng.choice((1, 3))
        ConvViT(ARCH, channels, img_size=side, init_cfg=init_cfg).init_weights()
    elif kind == 'model':
        load_weights(
            toy_model(), damaged_checkpoint(trial, toy_model().state_dict(), 'a')
        )
    elif kind == 'publish':
        path = damaged_checkpoint(trial, toy_model().state_dict(), 'a')
        out = trial.folder / rng.choice(('b.pth', 'b.safetensors'))
        run_tool('publish_model', path, out)
    else:
        paths = [
            damaged_checkpoint(trial, toy_model().state_dict(), f'epoch_{n}')
            for n in (1, 2)
        ]
        note = rng.choice((str(paths[1]), str(paths[0]) + '\n', 'gone.pth', '', 'a\0b'))
        if rng.random() < 0.3:
            note = trial.noted(edit_bytes(note.encode() or b' ', rng))
        trial.write(
            'last_checkpoint', note if isinstance(note, bytes) else note.encode()
        )
        check_whole(found) if (found := find_checkpoint(trial.folder)) else None
        if found:
            CheckpointLoader.load_checkpoint(found, 'cpu')


@cache
def toy_model() -> torch.nn.Module:
    """A pre-training model."""
    torch.manual_seed(0)
    return build_from_config(Config(pretrain_config()))
