"""How a state dict fits a module, and the likely cause where it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from torch import Tensor, nn

#: How much must fit. ``exact``: nothing is missing, left over or of another shape.
#: ``complete``: the file may hold more than the module has. ``warn``: only say so.
STRICT = ('exact', 'complete', 'warn')

_SIZE = re.compile(
    r'size mismatch for (\S+): .*?torch\.Size\((.*?)\).*?torch\.Size\((.*?)\)'
)
#: Parts of whole models: an encoder has none of these.
_OTHER_PARTS = re.compile(
    r'(decode_head|auxiliary_head|bbox_head|rpn_head|roi_head|mask_head|head|neck|fc'
    r'|guidance|masking)\.'
)


class Fit(NamedTuple):
    """What did not fit.

    Attributes:
        missing: Tensors of the module that the state dict lacks.
        left_over: Tensors of the state dict that the module lacks.
        misshapen: ``'NAME (2, 3) instead of (2, 4)'``: of another shape.
        cause: Why, most likely, and what to do.
    """

    missing: list[str]
    left_over: list[str]
    misshapen: list[str]
    cause: str

    def trouble(self, strict: str) -> str:
        """What of it counts at a level of :data:`STRICT`; empty if nothing does."""
        kinds = [('lacks', self.missing), ('has', self.misshapen)]
        if strict == 'exact':
            kinds.append(('has, and the model not,', self.left_over))
        return '; '.join(f'{what} {shorten(names)}' for what, names in kinds if names)


def shorten(names: Collection[str]) -> str:
    """The first three of many names, and how many more there are."""
    names = list(names)
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(names[:3]) + more


def load_and_compare(
    module: nn.Module,
    state_dict: dict[str, Tensor],
    may_miss: Callable[[str], bool] = lambda name: False,
) -> Fit:
    """Load what fits and tell what does not.

    The module's own adaptations of a state dict (input channels, positions) are made.

    Args:
        module: Changed in place.
        state_dict: Left as it is: the adaptations are made to a copy.
        may_miss: Whether a tensor of this name may keep its value.
    """
    expected, misshapen = list(module.state_dict()), []
    try:
        missing, left_over = module.load_state_dict(state_dict, strict=False)
    except RuntimeError as error:
        sizes = {m[1]: (m[2], m[3]) for m in _SIZE.finditer(str(error))}
        if not sizes:
            raise
        misshapen = [
            f'{name} ({found.strip("[]")}) instead of ({wanted.strip("[]")})'
            for name, (found, wanted) in sizes.items()
        ]
        missing = [k for k in expected if k not in state_dict]
        left_over = [k for k in state_dict if k not in expected]
    missing = [
        k for k in missing if not may_miss(k) and not k.endswith('num_batches_tracked')
    ]
    cause = _likely_cause(expected, list(missing), list(left_over), misshapen)
    return Fit(missing, list(left_over), misshapen, cause)


def _likely_cause(
    expected: list[str], missing: list[str], left_over: list[str], misshapen: list[str]
) -> str:
    if missing and not set(expected) - set(missing):
        below = next(
            (f[: -len(k)] for k in expected for f in left_over if f.endswith('.' + k)),
            None,
        )
        if below:
            return f"wrong prefix: its tensors of these names lie below '{below}'"
        return 'not one name is the same: it is the file of another network'
    if misshapen:
        return 'wrong arch: use the one that the file was trained with'
    if len(missing) == len(left_over) == 1:
        return f'a renamed tensor: {left_over[0]} may be what {missing[0]} was'
    if not missing and any(_OTHER_PARTS.match(k) for k in left_over):
        return 'a full model instead of its backbone: convert or cut it first'
    odd = missing or left_over
    if not (missing and left_over) and all(re.search(r'\.\d+\.', k) for k in odd):
        return 'wrong arch (another number of blocks) or an incomplete file'
    return 'it is not an encoder for this model; check arch and file'
