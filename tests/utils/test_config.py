"""Config files that cannot be read."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from dugi_mae.errors import DuGIError
from dugi_mae.cli import check_schedule, override, read_config


@pytest.mark.parametrize(
    'text, reason',
    [
        ('model = dict(', 'SyntaxError'),
        ('model = dcit()', 'NameError'),
        ('a = 1 / 0', 'ZeroDivisionError'),
        ("_base_ = 'gone.py'", 'gone.py'),
        ("a = '\0'", 'null'),
    ],
)
def test_a_damaged_config_is_named(tmp_path, text, reason):
    """One line with the file and what Python says of it."""
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(DuGIError, match=reason) as error:
        read_config(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_a_near_name_is_suggested(tmp_path):
    """A typo in the name of the file is answered with the file that is there."""
    (tmp_path / 'tiny.py').write_text('a = 1')
    with pytest.raises(DuGIError, match=r'did you mean .*tiny\.py'):
        read_config(tmp_path / 'tinny.py')


def test_a_folder_is_no_config(tmp_path):
    """That it does not exist would not be true."""
    with pytest.raises(DuGIError, match=r'is a folder: name the \.py file in it'):
        read_config(tmp_path)


def test_options_go_into_the_config():
    """Keys of the config, of Runner and new ones below them are set."""
    config = Config(dict(model=dict(a=1)))
    override(config, {'model.b': 2, 'load_from': 'x', 'compile': True})
    override(config, None)
    assert config.model == dict(a=1, b=2)
    assert config.load_from == 'x' and config.compile


@pytest.mark.parametrize(
    'key, hint',
    [('optim_wraper.optimizer.lr', 'optim_wrapper'), ('modle.b', 'model')],
)
def test_an_option_that_nothing_reads_is_refused(key, hint):
    """A typo would train with the config's own value and say nothing."""
    config = Config(dict(model=dict()))
    with pytest.raises(DuGIError, match=f"no key .*: did you mean '{hint}'"):
        override(config, {key: 1})
    with pytest.raises(DuGIError, match="no key 'zzz': correct --cfg-options"):
        override(config, dict(zzz=1))


@pytest.mark.parametrize(
    'key, value, reason',
    [
        ('pipeline.9.channels', 1, 'Index 9 exceeds'),
        ('pipeline.x.channels', 1, 'must be integers'),
        ('pipeline.0', 1, "'int' object"),
        ('default_scope.x', 1, 'default_scope'),
    ],
)
def test_an_option_that_goes_nowhere_is_named(key, value, reason):
    """Among others, too; the reason is short however long the list is."""

    def config():
        long = [dict(type='Resize', scale=s) for s in range(9)]
        return Config(dict(default_scope='mmseg', pipeline=long))

    for others in ({}, dict(launcher='none'), {'pipeline.0.scale': 1}):
        with pytest.raises(DuGIError, match=reason) as error:
            override(config(), {**others, key: value})
        message = str(error.value)
        assert message.startswith(f'{key}={value} cannot be set in config')
        assert len(message) < 250 and '\n' not in message


def test_of_options_that_exclude_each_other_the_last_is_named():
    """Each alone would do."""
    config = Config(dict(model=dict()))
    with pytest.raises(DuGIError, match='^model.a.b=3 cannot be set'):
        override(config, {'model.a': 2, 'model.a.b': 3})


def test_options_count_together():
    """What one puts aside the next may fill anew."""
    config = Config(dict(model=dict(arch='tiny')))
    override(config, {'model.arch.depth': 2, 'model.arch._delete_': True})
    assert config.model.arch == dict(depth=2)


@pytest.mark.parametrize(
    'train_cfg, by_epoch, fits',
    [
        (dict(max_iters=101), False, True),
        (dict(max_iters=100), False, False),
        (dict(max_epochs=101), True, True),
        (dict(max_epochs=100), True, False),
        (dict(max_epochs=5), False, True),
        (None, False, True),
    ],
)
def test_a_run_shorter_than_its_schedule_is_refused(train_cfg, by_epoch, fits):
    """The message of mmengine names neither the key nor the number to change."""
    parts = [
        dict(type='LinearLR', by_epoch=by_epoch, begin=0, end=100),
        dict(type='PolyLR', by_epoch=by_epoch, begin=100),
    ]
    config = Config(dict(train_cfg=train_cfg, param_scheduler=parts))
    if fits:
        check_schedule(config)
    else:
        with pytest.raises(DuGIError, match=r'=100, and param_scheduler\.1\.begin=100'):
            check_schedule(config)


def test_no_schedule_is_fine():
    """A constant rate needs none."""
    check_schedule(Config(dict(train_cfg=dict(max_iters=1))))
    check_schedule(Config(dict(train_cfg=dict(max_iters=1), param_scheduler=None)))
