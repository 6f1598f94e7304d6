"""Progress bars."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dugi_mae.engine import ProgressBarHook


def test_training(make_runner, capsys):
    """The bar runs to the last iteration, beside it the loss; a resume goes on."""
    make_runner(hooks=[ProgressBarHook('toy')], epochs=2).train()
    printed = capsys.readouterr().err
    assert 'toy:   0%' in printed and 'toy: 100%' in printed
    assert '6/6' in printed and 'loss=' in printed
    make_runner(hooks=[ProgressBarHook('toy')], resume=True).train()
    printed = capsys.readouterr().err
    assert 'toy:  50%' in printed and '6/12' in printed and '12/12' in printed
    assert 'toy:   0%' not in printed


@pytest.mark.parametrize('rank', [0, 1])
def test_testing(capsys, rank):
    """The bar counts batches, on the first process alone."""
    runner, hook = (
        SimpleNamespace(test_dataloader=range(3), rank=rank),
        ProgressBarHook(),
    )
    hook.before_test(runner)
    for i in range(3):
        hook.after_test_iter(runner, i)
    hook.after_test(runner)
    assert ('test: 100%' in capsys.readouterr().err) == (rank == 0)
