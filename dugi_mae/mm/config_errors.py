"""One line for what goes wrong while mmengine builds a config."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import re
import textwrap
from collections.abc import Iterator
from traceback import extract_tb, walk_tb
from types import FrameType, TracebackType

from mmengine.config import Config
from mmengine.registry import OPTIMIZERS, Registry, build_functions
from mmengine.runner import BaseLoop, TestLoop, ValLoop

from dugi_mae.errors import DuGIError

_UNKNOWN_NAME = re.compile(r'(\S+) is not in the .* registry|Failed to get (\S+)')
_UNKNOWN_ARGUMENT = re.compile(r"got an unexpected keyword argument '(\w+)'")
#: What hosts and torch say of batches that no model takes -> what to do.
_BATCH_ERRORS = {
    r'image size in a batch should be the same|stack expects each tensor to be equal': (
        'the images of a batch differ in size: set {loader}.batch_size=1, or bring '
        'them to one size in {loader}.dataset.pipeline'
    ),
    r'Expected more than 1 value per channel when training': (
        'batch norm cannot train on a batch of one image: set {loader}.batch_size to 2 '
        'or more and {loader}.drop_last=True'
    ),
}
#: Hooks that run inside a loop, yet before anything is trained.
_PREPARING = ('before_train', 'before_train_epoch', 'before_test', 'before_val')


@contextlib.contextmanager
def config_errors(config: Config) -> Iterator[None]:
    """Turn an exception raised while a config is built into one :class:`DuGIError`.

    Model, data, hooks and runner are built by mmengine and the hosts, whose own errors
    say what is wrong, but neither where nor what would be right. A :class:`DuGIError`
    and what a running loop raises pass as they are, but for batches that the config
    makes too small or of unequal images.

    Args:
        config: What is built inside the context.

    Raises:
        DuGIError: With the key of the config and, for an unknown class or argument, the
            nearest one that exists.
    """
    try:
        yield
    except DuGIError:
        raise
    except Exception as error:
        if loop := _running_loop(error.__traceback__):
            for pattern, advice in _BATCH_ERRORS.items():
                if re.search(pattern, str(error)):
                    raise DuGIError(advice.format(loader=_loader(loop))) from error
            raise
        name = f'config {config.filename}' if config.filename else 'the config'
        raise DuGIError(f'{name}{_explain(error, config)}') from error


def _running_loop(traceback: TracebackType | None) -> BaseLoop | None:
    """The innermost loop that a traceback comes from, if that has begun its work."""
    loop = None
    for frame, _ in walk_tb(traceback):
        function, names = frame.f_code.co_name, frame.f_locals
        if function == 'call_hook' and names.get('fn_name') in _PREPARING:
            return None
        if function == 'run' and isinstance(names.get('self'), BaseLoop):
            loop = names['self']
    return loop


def _loader(loop: BaseLoop) -> str:
    """Key of the data loader that a loop reads."""
    kinds = {'val': ValLoop, 'test': TestLoop}
    kind = next((name for name in kinds if isinstance(loop, kinds[name])), 'train')
    return f'{kind}_dataloader'


def _explain(error: Exception, config: Config) -> str:
    """What is wrong with which key, and the remedy."""
    frames = [
        frame
        for frame, _ in walk_tb(error.__traceback__)
        if frame.f_globals.get('__name__') == build_functions.__name__
    ]
    text = ' '.join(' '.join(map(str, error.args)).split())
    if not text and (calls := extract_tb(error.__traceback__)):
        text = calls[-1].line or ''  # such as of an assertion without a message
    key, cls = _origin(frames, config)
    registry = frames[-1].f_locals.get('registry') if frames else None
    if isinstance(registry, Registry) and (found := _UNKNOWN_NAME.match(text)):
        return _unknown_name(key, found[1] or found[2], registry)
    if text == 'None is not a callable object':  # mmengine did not find the optimizer
        kind = config.optim_wrapper.optimizer.type
        return _unknown_name('optim_wrapper.optimizer.', kind, OPTIMIZERS)
    found = _UNKNOWN_ARGUMENT.search(text)
    if found and cls and found[1] in frames[-1].f_locals.get('args', {}):
        arguments = {name: name for name in _arguments(cls)}
        hint = _suggest(found[1], arguments) or 'leave it out'
        return f': {key}{found[1]} is no argument of {cls.__name__}: {hint}'
    place = f'{key.rstrip(".")} {getattr(cls, "__name__", "")}'.strip()
    kind = type(error).__name__
    reason = textwrap.shorten(f'{kind}: {text}', 240, placeholder=' ...')
    return (
        f' cannot be built ({place}{": " * bool(place)}{reason}): correct it; '
        'DUGI_DEBUG=1 shows where'
    )


def _unknown_name(key: str, name: str, registry: Registry) -> str:
    hint = _suggest(name.rpartition('.')[2], _names(registry))
    remedy = hint or 'correct it, or import the module that has it: custom_imports'
    scope = registry.scope or 'mmengine'
    return f': {key}type={name!r} is unknown in the scope {scope!r}: {remedy}'


def _suggest(name: str, choices: dict[str, str]) -> str:
    """The nearest choice as a question; empty if none is near."""
    near = difflib.get_close_matches(name, choices, n=1)
    return f'did you mean {choices[near[0]]!r}?' if near else ''


def _origin(frames: list[FrameType], config: Config) -> tuple[str, type | None]:
    """Key of what was built last, with a dot at its end, and its class.

    The key is empty where the config has several of its type, or none.
    """
    if not frames:
        return '', None
    names = frames[-1].f_locals
    cls = names.get('obj_cls') or names.get('scheduler_cls')
    cfg = names.get('cfg')
    kind = cfg.get('type') if isinstance(cfg, dict) else None
    keys = [key for key, value in _places(config) if value == kind]
    found = keys[0].removesuffix('type') if kind and len(keys) == 1 else ''
    return found, cls if inspect.isclass(cls) else None


def _places(tree: object, prefix: str = '') -> Iterator[tuple[str, object]]:
    """Dotted keys and values of all that is named ``type`` in a config."""
    items = tree.items() if isinstance(tree, (dict, Config)) else enumerate(tree)
    for key, value in items:
        if key == 'type':
            yield f'{prefix}type', value
        elif isinstance(value, (dict, list, tuple)):
            yield from _places(value, f'{prefix}{key}.')


def _names(registry: Registry) -> dict[str, str]:
    """Bare name -> name by which a registry finds it, in all scopes."""
    line = [registry]
    while line[-1].parent is not None:
        line.append(line[-1].parent)
    found = {}
    # Names of ours are in mmpretrain's registries, which therefore come late.
    for scope, child in sorted(
        line[-1].children.items(), key=lambda item: item[0] == 'mmpretrain'
    ):
        found |= {name: f'{scope}.{name}' for name in child.module_dict}
    for own in reversed(line):
        found |= {name: name for name in own.module_dict}
    return found


def _arguments(cls: type) -> list[str]:
    """Arguments of a class and, while it takes ``**kwargs``, of its bases."""
    found: list[str] = []
    for base in inspect.getmro(cls):
        if '__init__' in vars(base):
            own = list(inspect.signature(base.__init__).parameters.values())[1:]
            found += [p.name for p in own if p.kind is not p.VAR_KEYWORD]
            if len(found) and all(p.kind is not p.VAR_KEYWORD for p in own):
                break
    return found
