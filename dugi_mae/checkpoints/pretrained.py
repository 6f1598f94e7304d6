"""Loading a pre-trained encoder completely, or saying why it does not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from dugi_mae.checkpoints.convert import convert_state_dict
from dugi_mae.checkpoints.io import (
    check_checkpoint,
    check_published_name,
    file_sha256,
    read_state_dict,
)
from dugi_mae.errors import DuGIError, check_choice, shorten

#: How much must fit. ``exact``: nothing is missing, unexpected or mismatched.
#: ``complete``: the file may hold more than the module has. ``warn``: only say so.
STRICT = ('exact', 'complete', 'warn')
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
#: Tensors of fine-tuned MCMAE encoders that the conversion folds in or leaves out.
CONVERTED = (
    '.gamma_1',
    '.gamma_2',
    '.relative_position_index',
    '.relative_position_bias_table',
)
#: Tensors that a backbone adds for fine-tuning; they keep their start values.
FINE_TUNING_ONLY = re.compile(r'.*\.(rel_pos_bias|gamma_1|gamma_2)|down4\..*')
#: What parallel training and averaging put before all names.
_WRAPPERS = re.compile(r'^(module\.)+')
#: Counters of averaged weights.
_COUNTERS = ('steps', 'n_averaged')

_SIZE = re.compile(
    r'size mismatch for (\S+): .*?torch\.Size\((.*?)\).*?torch\.Size\((.*?)\)'
)
#: Parts of whole models: an encoder has none of these.
_OTHER_PARTS = re.compile(
    r'(decode_head|auxiliary_head|bbox_head|rpn_head|roi_head|mask_head|head|neck|fc'
    r'|guidance|masking)\.'
)


class Loaded(NamedTuple):
    """What was loaded into a module, and what did not fit.

    Attributes:
        summary: One line for the log.
        warning: What did not fit; empty unless ``strict='warn'``.
    """

    summary: str
    warning: str


def load_encoder(
    module: nn.Module,
    checkpoint: str | Path,
    strict: str = 'exact',
    sha256: str | None = None,
) -> Loaded:
    """Load an encoder; position embeddings and input channels adapt.

    Args:
        module: The backbone, changed in place.
        checkpoint: A pre-training checkpoint (its ``backbone.*`` part is taken), any
            model with such a part, also wrapped (``module.``, ``_orig_mod.``) or
            averaged (EMA), a published MCMAE, InfMAE or DuGI-MAE file or a bare
            encoder; ``.pth`` or ``.safetensors``.
        strict: One of :data:`STRICT`.
        sha256: What the file must have; ``None`` takes any.

    Raises:
        DuGIError: If the file cannot be read, is another one than ``sha256`` or its
            published name says, or does not fit.
    """
    check_choice('strict', strict, STRICT)
    name, path = type(module).__name__, check_checkpoint(checkpoint)
    digest = file_sha256(path)
    if sha256 and digest != sha256.lower():
        raise DuGIError(
            f'{path} has sha256 {digest}, not {sha256}: it is another file or damaged, '
            'get it again'
        )
    check_published_name(path, digest)
    expected = module.state_dict()
    state_dict, dropped = _encoder(read_state_dict(path), expected, path)
    missing, unexpected, mismatched = _load_what_fits(module, state_dict)
    kinds = {'lacks': missing, 'has': mismatched}
    if strict == 'exact':
        kinds['has, unlike the model,'] = unexpected
    warning = '; '.join(
        f'{kind} {shorten(names)}' for kind, names in kinds.items() if names
    )
    if warning:
        cause = _likely_cause(list(expected), missing, unexpected, mismatched)
        warning = f'{path} does not fit {name}: it {warning}: {cause}'
        if strict != 'warn':
            raise DuGIError(warning)
    loaded = len(expected.keys() & state_dict.keys()) - len(mismatched)
    note = f', {dropped} used in pre-training only left out' if dropped else ''
    fresh = expected.keys() - state_dict.keys()
    if new := sum(map(bool, map(FINE_TUNING_ONLY.fullmatch, fresh))):
        note += f', {new} used in fine-tuning only start fresh'
    summary = (
        f'Loaded {loaded}/{len(expected)} tensors of {name} from {path}{note}, '
        f'sha256 {digest}.'
    )
    return Loaded(summary, warning)


def _encoder(
    state_dict: dict[str, Tensor], expected: dict[str, Tensor], path: Path
) -> tuple[dict[str, Tensor], int]:
    """The encoder's part of a file, and how many tensors of it have no use here."""
    state_dict = {
        _WRAPPERS.sub('', key.replace('_orig_mod.', '')): value
        for key, value in state_dict.items()
        if key not in _COUNTERS
    }
    prefix = 'backbone.'
    if any(key.startswith(prefix) for key in state_dict):
        state_dict = {
            key.removeprefix(prefix): value
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
        try:
            kept = convert_state_dict(state_dict).state_dict
        except DuGIError as error:
            raise DuGIError(f'{path}: {error}') from error
    return kept, dropped


def _load_what_fits(
    module: nn.Module, state_dict: dict[str, Tensor]
) -> tuple[list[str], list[str], list[str]]:
    """Load it and list what is missing, unexpected or of another shape.

    Tensors that fine-tuning adds may be missing.
    """
    expected, mismatched = list(module.state_dict()), []
    try:
        missing, unexpected = module.load_state_dict(state_dict, strict=False)
    except RuntimeError as error:
        sizes = {m[1]: (m[2], m[3]) for m in _SIZE.finditer(str(error))}
        if not sizes:
            raise
        mismatched = [
            f'{name} ({found.strip("[]")}) instead of ({wanted.strip("[]")})'
            for name, (found, wanted) in sizes.items()
        ]
        missing = [k for k in expected if k not in state_dict]
        unexpected = [k for k in state_dict if k not in expected]
    missing = [
        k
        for k in missing
        if not FINE_TUNING_ONLY.fullmatch(k) and not k.endswith('num_batches_tracked')
    ]
    return missing, list(unexpected), mismatched


def _likely_cause(
    expected: list[str],
    missing: list[str],
    unexpected: list[str],
    mismatched: list[str],
) -> str:
    """Why a file does not fit, and what to do."""
    if missing and not set(expected) - set(missing):
        below = next(
            (f[: -len(k)] for k in expected for f in unexpected if f.endswith('.' + k)),
            None,
        )
        if below:
            return f"wrong prefix: its tensors of these names lie below '{below}'"
        return 'not one name is the same: it is the file of another network'
    if mismatched:
        return 'wrong arch: use the one that the file was trained with'
    if len(missing) == len(unexpected) == 1:
        return f'a renamed tensor: {unexpected[0]} may be what {missing[0]} was'
    if not missing and any(_OTHER_PARTS.match(k) for k in unexpected):
        return 'a full model instead of its backbone: convert or cut it first'
    odd = missing or unexpected
    if not (missing and unexpected) and all(re.search(r'\.\d+\.', k) for k in odd):
        return 'wrong arch (another number of blocks) or an incomplete file'
    return 'it is not an encoder for this model; check arch and file'
