"""What users read when mmengine cannot build their config."""

from __future__ import annotations

import pytest
import toys
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

import dugi_mae.mmdet
import dugi_mae.mmseg
from dugi_mae.errors import DuGIError
from dugi_mae.mm.config_errors import config_errors


def build(config: Config) -> None:
    """Build the model of a config as a runner does."""
    with (
        config_errors(config),
        DefaultScope.overwrite_default_scope(config.get('default_scope')),
    ):
        MODELS.build(config.model)


def pretraining(key: str = '', value: object = None) -> Config:
    """A toy pre-training with one changed place."""
    content = dict(default_scope='mmpretrain', model=toys.pretrain_config())
    config = Config(content, cfg_text=' ', filename='toy.py')
    if key:
        config.merge_from_dict({key: value})
    return config


@pytest.mark.parametrize(
    'key, value, message',
    [
        ('model.type', 'DuGIMae', r"model\.type='DuGIMae' .*mmpretrain.*'DuGIMAE'\?"),
        ('model.backbone.type', 'mmseg.ConvViT', r"backbone\.type.*'ConvViT'\?"),
        ('model.neck.type', 'x.y.Z', r"neck\.type='x\.y\.Z' is unknown .*correct it"),
        ('model.head.type', 'Qqq', r"head\.type='Qqq' is unknown .*custom_imports"),
        ('model.backbone.archh', 1, r"backbone\.archh .*MaskedConvViT.*'arch'\?"),
        ('model.zzz', 0.5, r'model\.zzz is no argument of DuGIMAE: leave it out'),
        ('model.backbone', 3, r'toy\.py cannot be built \(.*DUGI_DEBUG=1'),
        ('model.masking', dict(_delete_=True), r'cannot be built .*key "type"'),
        ('model.backbone.img_size', 'x', r'backbone MaskedConvViT: \w+Error: .*'),
    ],
)
def test_pretraining(key, value, message):
    """The key, and the nearest name that exists."""
    with pytest.raises(DuGIError, match=message) as caught:
        build(pretraining(key, value))
    assert '\n' not in str(caught.value) and 'config toy.py' in str(caught.value)


@pytest.mark.parametrize(
    'host, kind, hint',
    [
        ('mmdet', 'ConvViT', 'mmpretrain.ConvViT'),
        ('mmdet', 'mmpretrain.ConvVitt', 'mmpretrain.ConvViT'),
        ('mmdet', 'UPerHead', 'mmseg.UPerHead'),
    ],
)
def test_the_prefix_of_another_scope(host, kind, hint):
    """A name of another host is suggested with the prefix that finds it."""
    config = Config(dict(default_scope=host, model=dict(type=kind)))
    with pytest.raises(DuGIError, match=f"model.type='{kind}'.*did you mean '{hint}'"):
        build(config)


def test_arguments_of_bases_are_known():
    """A class that passes on what it does not know is searched up to its bases."""
    head = dict(type='FCNHead', in_channels=8, chanels=8, num_classes=2)
    config = Config(dict(default_scope='mmseg', model=head))
    with pytest.raises(DuGIError, match=r"chanels .*did you mean 'channels'"):
        build(config)


def test_our_own_errors_pass():
    """A DuGIError of a constructor says it all."""
    with pytest.raises(DuGIError, match=r'^mask_ratio=1\.5'):
        build(pretraining('model.masking.mask_ratio', 1.5))


class Failing(Hook):
    """Raises where it is told to."""

    def __init__(self, name: str) -> None:
        setattr(self, name, self.fail)

    def fail(self, *_, **__) -> None:
        """Raise what is not ours."""
        raise KeyError('x')


@pytest.mark.parametrize(
    'name, kind',
    [
        ('before_run', DuGIError),
        ('before_train_epoch', DuGIError),
        ('before_train_iter', KeyError),
        ('before_val_epoch', KeyError),
    ],
)
def test_training_keeps_its_traceback(make_runner, name, kind):
    """Only what comes before the first iteration is an error of the config."""
    runner: Runner = make_runner(hooks=[Failing(name)])
    with pytest.raises(kind, match='x'), config_errors(runner.cfg):
        runner.train()


def test_a_schedule_that_begins_too_late(make_runner):
    """What is built as late as in ``train()`` is named, too."""
    runner: Runner = make_runner(
        param_scheduler=[dict(type='LinearLR', begin=9, end=8)]
    )
    with pytest.raises(DuGIError, match=r'LinearLR: ValueError: .*begin=9, end=8'):
        with config_errors(runner.cfg):
            runner.train()


assert dugi_mae.mmdet and dugi_mae.mmseg
