"""Building sub-modules whatever the default scope is, and naming what is wrong."""

from __future__ import annotations

import difflib
import inspect
import re
import reprlib

from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import DefaultScope, Registry
from mmpretrain.registry import MODELS
from torch import nn

from dugi_mae.errors import DuGIError
from dugi_mae.utils.arguments import check_names

#: Keys below which configs of modules stand, in ours and in the hosts' models.
_PARTS = (
    *('backbone', 'neck', 'head', 'masking', 'guidance', 'data_preprocessor'),
    *('decode_head', 'auxiliary_head', 'bbox_head', 'mask_head', 'rpn_head'),
    *('roi_head', 'loss_decode', 'module'),
)
#: Those that may be a list of such configs.
_LISTS = ('neck', 'auxiliary_head', 'loss_decode')


def find_class(kind: object, name: str, registry: Registry = MODELS) -> type:
    """The class that a config asks for.

    Args:
        kind: Value of the key ``type``.
        name: Where it stands, for the message, such as ``'model.backbone.type'``.
        registry: Where to look it up.

    Raises:
        DuGIError: If there is none; the message suggests the nearest one.
    """
    if callable(kind):
        return kind
    # mmengine would import a name with dots as a module.
    if isinstance(kind, str) and re.fullmatch(r'\w+(\.\w+)*', kind):
        found = registry.get(kind)
        if found is not None:
            return found
    known, root = [*registry.module_dict], registry
    while root.parent is not None:
        root = root.parent
        known += root.module_dict
    ours = root.children['mmpretrain']
    if registry is not ours:
        known += [f'mmpretrain.{other}' for other in ours.module_dict]
    elsewhere = [f'mmpretrain.{kind}'] if str(kind) in ours.module_dict else []
    near = elsewhere or difflib.get_close_matches(str(kind), known, n=1)
    hint = f'did you mean {near[0]!r}?' if near else 'name a class of it'
    raise DuGIError(
        f'{name}={reprlib.repr(kind)} is unknown in the scope {registry.scope!r}, '
        f"which default_scope or a prefix such as 'mmpretrain.' chooses: {hint}"
    )


def _check_keys(cls: type, cfg: dict) -> None:
    """Raise where the keys are not the arguments of a class."""
    known = inspect.signature(cls).parameters.values()
    if all(p.kind is not p.VAR_KEYWORD for p in known):
        check_names(cls, known, set(cfg) - {'type', '_scope_'})


def _check_part(cfg: object, name: str, registry: Registry) -> None:
    """Check the config of a module and of those below it."""
    if not isinstance(cfg, dict):
        raise DuGIError(
            f'{name}={reprlib.repr(cfg)} is no config: give a dict with the key type'
        )
    if 'type' not in cfg:
        raise DuGIError(f'{name} has no type: name its class in {name}.type')
    cls = find_class(cfg['type'], f'{name}.type', registry)
    # Classes of others may take keys away before they build: these are theirs to check.
    if getattr(cls, '__module__', '').startswith('dugi_mae.'):
        _check_keys(cls, cfg)
    for key in _PARTS:
        part = cfg.get(key)
        # DuGIMAE has a data_preprocessor of its own choice.
        is_typeless = isinstance(part, dict) and 'type' not in part
        if key == 'data_preprocessor' and is_typeless:
            continue
        is_list = isinstance(part, (list, tuple))
        # mmengine makes a Sequential of a list; a cascade has a head for each stage.
        in_cascade = cls.__name__.startswith('Cascade')
        if is_list and not in_cascade and key not in _LISTS:
            raise DuGIError(f'{name}.{key} is a list: give one config')
        for item in part if is_list else [part]:
            if item is not None and not isinstance(item, nn.Module):
                _check_part(item, f'{name}.{key}', registry)


def _arguments(cls: type) -> list[inspect.Parameter] | None:
    """Arguments of a class and, through ``**kwargs``, of its bases.

    ``None`` if there is no end to what it takes.
    """
    found: dict[str, inspect.Parameter] = {}
    for base in inspect.getmro(cls):
        if '__init__' in vars(base):
            own = list(inspect.signature(base.__init__).parameters.values())[1:]
            found = {p.name: p for p in own} | found
            if all(p.kind is not p.VAR_KEYWORD for p in own):
                return list(found.values())
    return None


def _check_dataset(
    cfg: object, name: str, datasets: Registry, transforms: Registry
) -> None:
    """Check the config of a data set, of those that it wraps and of its pipeline."""
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise DuGIError(
            f'{name}={reprlib.repr(cfg)} is no config: give a dict with the key type'
        )
    cls = find_class(cfg['type'], f'{name}.type', datasets)
    arguments = _arguments(cls)
    if getattr(cls, '__module__', '').startswith('dugi_mae.') and arguments:
        check_names(cls, arguments, set(cfg) - {'type', '_scope_'})
    for key in ('dataset', 'datasets'):
        inner = cfg.get(key, [])
        for part in inner if isinstance(inner, (list, tuple)) else [inner]:
            _check_dataset(part, f'{name}.{key}', datasets, transforms)
    for index, step in enumerate(cfg.get('pipeline') or ()):
        if isinstance(step, dict):
            find_class(step.get('type'), f'{name}.pipeline.{index}.type', transforms)


def check_data(config: Config) -> None:
    """Make sure that every class of a config's data is known, and our keys are.

    Args:
        config: With data loaders and, unless it is for pre-training, ``default_scope``.

    Raises:
        DuGIError: With the key and the nearest name that is known.
    """
    scope = config.get('default_scope') or 'mmpretrain'
    with (
        DefaultScope.overwrite_default_scope(scope),
        ROOT_DATASETS.switch_scope_and_registry(None) as datasets,
        ROOT_TRANSFORMS.switch_scope_and_registry(None) as transforms,
    ):
        for part in ('train', 'val', 'test'):
            key = f'{part}_dataloader'
            loader = config.get(key)
            # mmengine takes several test loaders, too.
            for one in loader if isinstance(loader, (list, tuple)) else [loader]:
                if one is not None:
                    dataset = one.get('dataset') if isinstance(one, dict) else one
                    _check_dataset(dataset, f'{key}.dataset', datasets, transforms)


def check_model(config: Config) -> None:
    """Make sure that every class of a config's model is known, and our keys are.

    Args:
        config: With ``model`` and, unless it is for pre-training, ``default_scope``.

    Raises:
        DuGIError: With the key and the nearest name that is known.
    """
    scope = config.get('default_scope') or 'mmpretrain'
    if not isinstance(scope, str):
        raise DuGIError(f"default_scope={scope!r}: give a name, such as 'mmseg'")
    if 'model' not in config:
        raise DuGIError(f'config {config.filename} has no model: add model=dict(...)')
    with DefaultScope.overwrite_default_scope(scope):
        with ROOT_MODELS.switch_scope_and_registry(None) as registry:
            _check_part(config.model, 'model', registry)


def build_module(cfg: dict | nn.Module | None) -> nn.Module | None:
    """Build an mmpretrain module from a config, in any default scope.

    ``MODELS.build`` looks a type up in the default scope's registry, whichever
    registry it is called on; a pre-training part would not be found while the default
    scope is mmdet or mmseg.

    Args:
        cfg: A config with ``type``; a built module or ``None`` is returned as it is.

    Raises:
        DuGIError: If the type or a key is unknown; the message suggests the nearest
            one.
    """
    if cfg is None or isinstance(cfg, nn.Module):
        return cfg
    _check_keys(find_class(cfg.get('type'), 'type of a part'), cfg)
    return MODELS.build(ConfigDict({'_scope_': 'mmpretrain', **cfg}))
