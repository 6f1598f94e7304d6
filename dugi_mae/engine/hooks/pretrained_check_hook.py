"""Proof that mmengine's ``Pretrained`` did what a config asked for."""

from __future__ import annotations

import copy
import logging

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import CheckpointLoader, Runner
from torch import nn

from dugi_mae.errors import DuGIError, check_choice
from dugi_mae.utils.fit import STRICT, Fit, load_and_compare, shorten

_TYPES = ('Pretrained', 'PretrainedInit')


@HOOKS.register_module()
class PretrainedCheckHook(Hook):
    """Raise before training where an ``init_cfg`` of type ``Pretrained`` did not load.

    mmengine loads what fits and warns about the rest, so that a wrong prefix or arch
    means training from scratch. Before the first iteration this hook reads the named
    file again and compares every tensor of the module with it. Of a whole model only
    the ``backbone`` is checked: heads for other classes may differ. Nothing is checked
    after ``load_from`` or ``resume``, which replace what was loaded. ``DuGIPretrained``
    checks for itself. Registered in mmengine's root.

    Args:
        strict: ``'exact'``: nothing may be missing, left over or of another shape;
            ``'complete'``: the file may hold more, such as a classifier's head;
            ``'warn'``: log instead of raising.
    """

    priority = 'VERY_HIGH'

    def __init__(self, strict: str = 'complete') -> None:
        check_choice('strict', strict, STRICT)
        self.strict = strict
        self._replaced = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember that the weights come from elsewhere."""
        self._replaced = True

    def before_train(self, runner: Runner) -> None:
        """Compare every module that has such an ``init_cfg`` with its file.

        Raises:
            DuGIError: If a tensor is missing, of another shape or of another value.
        """
        if self._replaced:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, module in model.named_modules():
            configs = getattr(module, 'init_cfg', None) or []
            for config in [configs] if isinstance(configs, dict) else configs:
                if config.get('type') in _TYPES:
                    self._check(name, module, config)

    def _check(self, name: str, module: nn.Module, config: dict) -> None:
        path, prefix = config['checkpoint'], config.get('prefix')
        part = (
            'backbone.'
            if isinstance(getattr(module, 'backbone', None), nn.Module)
            else ''
        )
        content = CheckpointLoader.load_checkpoint(path, 'cpu')
        state_dict = content.get('state_dict', content)
        if not any(isinstance(v, torch.Tensor) for v in state_dict.values()):
            state_dict = {}
        start = prefix.rstrip('.') + '.' if prefix else ''
        wanted = {
            key.removeprefix(start).removeprefix('module.'): value
            for key, value in state_dict.items()
            if key.startswith(start) and isinstance(value, torch.Tensor)
        }
        # What loading gives in the module at hand, its own adaptations included.
        twin = copy.deepcopy(module).cpu()
        fit = load_and_compare(twin, wanted)
        if part:
            fit = Fit(*([n for n in f if n.startswith(part)] for f in fit[:3]), fit[3])
        where = f'{name or "the model"} ({type(module).__name__})'
        if trouble := fit.trouble(self.strict):
            cause = fit.cause
            if 'model' in content and 'state_dict' not in content:
                cause = "its weights lie under 'model': use type='DuGIPretrained'"
            elif cause.startswith('wrong prefix'):
                cause += ': correct init_cfg.prefix'
            return self._report(f'{path} does not fit {where}: it {trouble}: {cause}')
        actual = module.state_dict()
        other = [
            key
            for key, value in twin.state_dict().items()
            if key in wanted
            and key.startswith(part)
            and not torch.equal(value, actual[key].cpu())
        ]
        if other:
            return self._report(
                f'{where} has other values than {path} in {shorten(other)}: something '
                'changed them after loading, such as another init_cfg'
            )
        print_log(f'{path} was loaded into {where} completely', 'current')
        return None

    def _report(self, message: str) -> None:
        if self.strict != 'warn':
            raise DuGIError(message)
        print_log(message, 'current', logging.WARNING)
