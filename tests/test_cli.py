"""What the command-line tools share."""

from __future__ import annotations

import argparse

import pytest
import torch
from mmengine.config import Config

from dugi_mae.cli import load_config, override, read_config, run_cli
from dugi_mae.errors import DuGIError


@pytest.mark.parametrize(
    'text, reason',
    [
        ('model = dict(', 'SyntaxError'),
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


def test_a_config_that_is_not_there(tmp_path):
    """A typo is answered with the nearest file; a folder is no config."""
    (tmp_path / 'tiny.py').write_text('a = 1')
    with pytest.raises(DuGIError, match=r'did you mean .*tiny\.py'):
        read_config(tmp_path / 'tinny.py')
    with pytest.raises(DuGIError, match=r'is a folder: name the \.py file'):
        read_config(tmp_path)


def test_options_go_into_the_config():
    """Keys of the config, of Runner and new ones below them; all count together."""
    config = Config(dict(model=dict(a=1, arch='tiny')))
    override(config, {'model.b': 2, 'load_from': 'x', 'compile': True})
    override(config, {'model.arch.depth': 2, 'model.arch._delete_': True})
    override(config, None)
    assert config.model == dict(a=1, b=2, arch=dict(depth=2))
    assert config.load_from == 'x' and config.compile


@pytest.mark.parametrize(
    'key, message',
    [
        ('modle.b', "no key 'modle': did you mean 'model'"),
        ('zzz', "no key 'zzz': correct --cfg-options"),
        ('pipeline.9.channels', r'^pipeline\.9\.channels=1 cannot .*Index 9 exceeds'),
        ('pipeline.x.channels', 'must be integers'),
        ('pipeline.0', "'int' object"),
        ('default_scope.x', 'default_scope'),
    ],
)
def test_an_option_that_goes_nowhere_is_named(key, message):
    """Among others, too; the reason is short however long the list is."""
    long = [dict(type='Resize', scale=s) for s in range(9)]
    for others in ({}, dict(launcher='none'), {'pipeline.0.scale': 1}):
        config = Config(dict(model={}, default_scope='mmseg', pipeline=long))
        with pytest.raises(DuGIError, match=message) as error:
            override(config, {**others, key: 1})
        assert len(str(error.value)) < 250 and '\n' not in str(error.value)


def test_of_options_that_exclude_each_other_the_last_is_named():
    """Each alone would do."""
    with pytest.raises(DuGIError, match=r'^model\.a\.b=3 cannot be set'):
        override(Config(dict(model=dict())), {'model.a': 2, 'model.a.b': 3})


def test_denormal_numbers_are_flushed(tmp_path):
    """Training on a CPU does not slow down where numbers get tiny."""
    if not torch.set_flush_denormal(True):
        pytest.skip('this CPU cannot flush denormal numbers')
    torch.set_flush_denormal(False)
    config = tmp_path / 'config.py'
    config.write_text("model = dict(type='ConvViT')\n")
    options = dict(config=config, cfg_options=None, launcher='none', local_rank=0)
    tiny = torch.tensor([1e-30])
    assert (tiny * 1e-10).item() > 0
    try:
        load_config(argparse.Namespace(work_dir=str(tmp_path / 'work'), **options))
        assert (tiny * 1e-10).item() == 0
    finally:
        torch.set_flush_denormal(False)


def test_an_empty_argument(monkeypatch):
    """What a shell makes of a variable that is not set is no path, nor left out."""
    monkeypatch.setattr('sys.argv', ['train.py', 'config.py', '--resume', ''])
    with pytest.raises(SystemExit) as caught:
        run_cli(lambda: pytest.fail('it ran'))
    assert 'argument 3 is empty' in caught.value.code


@pytest.mark.parametrize('kind', ['DuGIError', 'BadImageError'])
def test_run_cli_prints_one_line(monkeypatch, kind):
    """No traceback, also of an error in a data worker; with DUGI_DEBUG all of it."""

    def fail():
        raise DuGIError(
            'Caught DuGIError in DataLoader worker process 0.\n'
            'Original Traceback (most recent call last):\n  File ...\n'
            f'dugi_mae.errors.{kind}: x.png is damaged: copy it again\n'
        )

    monkeypatch.delenv('DUGI_DEBUG', raising=False)
    with pytest.raises(SystemExit) as caught:
        run_cli(fail)
    assert caught.value.code == 'DuGIError: x.png is damaged: copy it again'
    monkeypatch.setenv('DUGI_DEBUG', '1')
    with pytest.raises(DuGIError):
        run_cli(fail)
