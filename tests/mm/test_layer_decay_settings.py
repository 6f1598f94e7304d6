"""Settings that layer-wise learning-rate decay refuses."""

from __future__ import annotations

import pytest

from dugi_mae.mm import LayerDecayOptimWrapperConstructor
from dugi_mae.errors import DuGIError

OPTIMIZER = dict(type='AdamW', lr=1e-2, weight_decay=0.05)


@pytest.mark.parametrize('rate', [None, 0, 1.5, -0.5, '0.5', True, float('nan')])
def test_a_missing_or_wrong_rate_is_refused(rate):
    """No silent default: the rate must be named and lie in (0, 1]."""
    paramwise = {} if rate is None else dict(layer_decay_rate=rate)
    with pytest.raises(DuGIError, match=f'layer_decay_rate={rate!r}: give a number'):
        LayerDecayOptimWrapperConstructor(dict(optimizer=OPTIMIZER), paramwise)


@pytest.mark.parametrize('key', ['lr', 'weight_decay'])
@pytest.mark.parametrize('value', [None, '1e-4'])
def test_optimizer_settings_are_explained(key, value):
    """What is scaled and decayed cannot be told without them: the key is named."""
    optimizer = OPTIMIZER | {key: value}
    config = dict(optimizer={k: v for k, v in optimizer.items() if v is not None})
    with pytest.raises(DuGIError, match=rf'optimizer\.{key}={value!r}: .*number'):
        LayerDecayOptimWrapperConstructor(config, dict(layer_decay_rate=0.5))


@pytest.mark.parametrize(
    'config', [dict(), dict(optimizer=None), dict(optimizer='SGD')]
)
def test_a_missing_optimizer_is_named(config):
    """The wrapper's config must hold the optimizer's."""
    with pytest.raises(DuGIError, match='optim_wrapper.optimizer=.*: give a dict'):
        LayerDecayOptimWrapperConstructor(config, dict(layer_decay_rate=0.5))


@pytest.mark.parametrize(
    ('paramwise', 'message'),
    [
        ([0.5], r'paramwise_cfg=\[0.5\]: give a dict'),
        (dict(custom_keys=None), 'paramwise_cfg.custom_keys=None: give a dict'),
        (
            dict(custom_keys=['head']),
            r"paramwise_cfg.custom_keys=\['head'\]: give a dict",
        ),
        (
            dict(custom_keys=dict(head=10)),
            'paramwise_cfg.custom_keys.head=10: give a d',
        ),
    ],
)
def test_settings_that_are_no_dict_are_named(paramwise, message):
    """Each by its key, in one line."""
    if isinstance(paramwise, dict):
        paramwise = dict(layer_decay_rate=0.5) | paramwise
    with pytest.raises(DuGIError, match=message) as caught:
        LayerDecayOptimWrapperConstructor(dict(optimizer=OPTIMIZER), paramwise)
    assert '\n' not in str(caught.value)
