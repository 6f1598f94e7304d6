"""A resumed run whose config is not the one that its checkpoint was trained with."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from dugi_mae.errors import DuGIError

#: Falls from the base rate to 0 over the run, whatever that is.
POLY = dict(type='PolyLR', power=1.0, by_epoch=False)


class Rates(Hook):
    """Writes down the learning rate of each iteration."""

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.found: dict[int, float] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Look at what the optimizer is about to use."""
        self.found[runner.iter] = runner.optim_wrapper.get_lr()['lr'][0]


def sgd(lr: float = 0.1, **options) -> dict:
    return dict(optimizer=dict(type='SGD', lr=lr, momentum=0.9), **options)


@pytest.fixture
def train(make_runner):
    """Train in the same work dir as before; gives the rates and the runner."""

    def run(loop: str = 'iter', resume: bool = False, change=None, **options):
        rates = Rates()
        options = dict(param_scheduler=dict(POLY), optim_wrapper=sgd()) | options
        runner = make_runner(loop, 0, [rates], resume=resume, **options)
        if change:
            change(runner)
        runner.train()
        return rates.found, runner

    return run


@pytest.mark.parametrize('loop', ['epoch', 'iter'])
@pytest.mark.parametrize('epochs', [8, 5])
def test_a_longer_run(train, read_log, loop, epochs):
    """Its schedule is that of the new length: the rate rises, then falls to 0."""
    train(loop)
    rates, runner = train(loop, resume=True, epochs=epochs)
    last = 3 * epochs - 1
    expected = {i: 0.1 * (1 - i / last) for i in range(12, last + 1)}
    assert rates == pytest.approx(expected, abs=1e-12)
    length = 'max_epochs 4' if loop == 'epoch' else 'max_iters 12'
    assert f'train_cfg.{length} -> ' in read_log(runner)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_longer_run_of_epochs(train, by_epoch):
    """Schedules by epoch, and those that mmengine converts, move with the run, too."""
    steps = dict(type='CosineAnnealingLR', convert_to_iter_based=not by_epoch)
    train('epoch', param_scheduler=steps)
    rates, _ = train('epoch', True, epochs=8, param_scheduler=steps)
    once, _ = train('epoch', epochs=8, param_scheduler=steps, name='other')
    assert rates == pytest.approx({i: once[i] for i in range(12, 24)})


def test_another_rate(train, read_log):
    """The config's learning rate counts, as the remedy for divergence says it does."""
    train(epochs=2)
    rates, runner = train(
        resume=True, epochs=4, optim_wrapper=sgd(0.02), param_scheduler=None
    )
    assert set(rates) == set(range(6, 12)) and set(rates.values()) == {0.02}
    assert 'optim_wrapper.optimizer.lr 0.1 -> 0.02' in read_log(runner)


def test_the_moments_stay(train):
    """Only settings are the config's; what the optimizer has gathered goes on."""
    _, before = train(epochs=2)
    old = before.optim_wrapper.optimizer.state_dict()['state']
    _, after = train(resume=True, epochs=2, optim_wrapper=sgd(0.02))
    new = after.optim_wrapper.optimizer.state_dict()
    assert new['param_groups'][0]['initial_lr'] == 0.02
    for number, state in old.items():
        found = new['state'][number]['momentum_buffer']
        assert torch.equal(found, state['momentum_buffer'])


@pytest.mark.parametrize(
    'schedule',
    [
        dict(POLY, end=12),
        dict(type='CosineAnnealingLR', by_epoch=False, T_max=12),
        dict(type='CosineAnnealingLR', by_epoch=True, T_max=4),
    ],
)
def test_a_schedule_that_ends_before_the_run(train, schedule):
    """What would train on at a rate of 0 is refused; the message says what to set."""
    loop = 'epoch' if schedule['by_epoch'] else 'iter'
    train(loop, param_scheduler=dict(schedule))
    message = r'train_cfg\.max_.* more than .*param_scheduler .*T_max.*load_from'
    with pytest.raises(DuGIError, match=message):
        train(loop, True, epochs=8, param_scheduler=dict(schedule))


def test_restarts_that_end_before_the_run(train):
    """As the small-target configs have them; mmengine stays at the last rate."""
    schedule = dict(type='CosineRestartLR', by_epoch=False, eta_min=0.0)
    schedule |= dict(periods=[6, 204], restart_weights=[1.0, 0.5])
    options = dict(param_scheduler=schedule, optim_wrapper=sgd(1e-3))
    options |= dict(checkpoint=dict(interval=210))
    train(epochs=70, **options)
    with pytest.raises(DuGIError, match=r'max_iters=240 .*\(its end, T_max or periods'):
        train(resume=True, epochs=80, **options)


def test_nothing_has_changed(train, read_log):
    """A resume with the same config says nothing of it."""
    train(epochs=2, param_scheduler=dict(POLY, end=24))
    _, runner = train(resume=True, epochs=2, param_scheduler=dict(POLY, end=24))
    assert 'wins' not in read_log(runner)


def test_nothing_is_left(train, read_log):
    """A run that is over says how it would go on."""
    train()
    rates, runner = train(resume=True)
    assert not rates and 'raise train_cfg.max_iters to go on' in read_log(runner)


def test_an_epoch_of_another_length(train):
    """The schedule keeps its place in epochs, as the loop does."""
    train('epoch', epochs=2)

    def halve(runner) -> None:
        runner._train_dataloader['batch_size'] = 2

    rates, _ = train('epoch', True, change=halve)
    # 6 iterations an epoch instead of 3: two of four epochs are done, half of 24.
    assert rates == pytest.approx({i: 0.1 * (1 - i / 23) for i in range(12, 24)})


def freeze(runner) -> None:
    runner.model.layer.bias.requires_grad_(False)


def replace(runner) -> None:
    runner.model.layer = nn.Linear(4, 2)


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(optim_wrapper=sgd(paramwise_cfg=dict(bias_lr_mult=2.0))),
            r'parameter groups .*paramwise_cfg .*as it was.*load_from',
        ),
        (
            dict(
                change=freeze, optim_wrapper=sgd(paramwise_cfg=dict(bias_lr_mult=2.0))
            ),
            'parameter groups .*frozen_stages as it was',
        ),
        (
            dict(optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1))),
            r'with SGD, the config has Adam: set optim_wrapper\.optimizer\.type',
        ),
        (dict(loop='epoch'), 'IterBasedTrainLoop.*EpochBasedTrainLoop: set train_cfg'),
        (dict(change=replace), r'layer\.weight is \(1, 4\) there and \(2, 4\)'),
    ],
)
def test_another_training(train, options, message):
    """What cannot continue is refused with the key and the way to start over."""
    train(epochs=2)
    with pytest.raises(DuGIError, match=message) as caught:
        train(**{'loop': 'iter', 'resume': True, **options})
    assert '\n' not in str(caught.value) and 'iter_6.pth' in str(caught.value)


def test_what_is_frozen(train, read_log):
    """Parameters that are trained no longer are named where the groups are the same."""
    train(epochs=2)
    _, runner = train(resume=True, change=freeze)
    assert 'now frozen: layer.bias' in read_log(runner)


def test_weights_alone(train, make_runner, tmp_path):
    """A file without a training is for load_from, not for --resume."""
    _, runner = train(epochs=2)
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=runner.model.state_dict()), path)
    with pytest.raises(DuGIError, match=r'weights\.pth holds no training.*load_from='):
        make_runner('iter', resume=True, load_from=str(path)).train()


def test_a_schedule_that_waits_for_a_metric(train, read_log):
    """Where it stands does not follow from the position: the checkpoint's stays."""
    plateau = dict(type='ReduceOnPlateauLR', monitor='score', by_epoch=True)
    train('epoch', epochs=2, param_scheduler=plateau)
    rates, runner = train(
        'epoch', True, param_scheduler=plateau, optim_wrapper=sgd(0.2)
    )
    assert set(rates.values()) == {0.1}
    assert 'wins over the config' in read_log(runner)
