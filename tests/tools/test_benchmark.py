"""What the benchmark tools count is what is there."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch
from benchmark import (
    count_flops,
    interleave,
    matmul_peak,
    peak_memory,
    ratio,
)
from torch import nn
from torch.nn import functional as F

CPU = torch.device('cpu')


def test_flops_of_products_attention_and_depthwise_convolution():
    """Two operations a multiplication; backwards once for each gradient."""
    linear, x = nn.Linear(8, 12, bias=False), torch.randn(5, 8, requires_grad=True)
    assert count_flops(lambda: linear(x)) == 2 * 5 * 8 * 12
    assert count_flops(lambda: linear(x).sum().backward()) == 3 * 2 * 5 * 8 * 12
    conv = nn.Conv2d(6, 6, 5, padding=2, groups=6)
    image = torch.randn(2, 6, 7, 9, requires_grad=True)
    work = 2 * 25 * image.numel()
    assert count_flops(lambda: conv(image)) == work
    assert count_flops(lambda: conv(image).sum().backward()) == 3 * work
    assert count_flops(lambda: conv(image.detach()).sum().backward()) == 2 * work
    query = torch.randn(1, 2, 16, 4, requires_grad=True)
    attention = lambda: F.scaled_dot_product_attention(query, query, query)  # noqa: E731
    work = 2 * 2 * 2 * 16 * 16 * 4
    assert count_flops(attention) == work
    # The weights are computed anew backwards: five products instead of two.
    assert count_flops(lambda: attention().sum().backward()) == work * 7 / 2


def test_peak_memory_is_the_most_held_at_once():
    """What was freed before does not count; what is held together adds up."""

    def case():
        torch.empty(2**20)
        first, second = torch.empty(2**18), torch.empty(2**19)
        return first, second

    assert peak_memory(case, CPU) == 4 * 2**20
    assert peak_memory(lambda: torch.empty(2**10), CPU) == 4 * 2**10


def test_cases_take_turns():
    """Each round calls every case once, after one call of each to warm up."""
    calls = []
    times = interleave(
        dict(a=lambda: calls.append('a'), b=lambda: calls.append('b')), 3, CPU
    )
    assert ''.join(calls) == 'ab' * 4
    assert {name: len(seconds) for name, seconds in times.items()} == dict(a=3, b=3)


def test_ratio_is_the_median_of_rounds():
    """One disturbed round does not decide."""
    assert ratio([2.0, 4.0, 90.0], [1.0, 2.0, 3.0]) == pytest.approx(2.0)


def test_peak_is_that_of_the_fastest_product(monkeypatch):
    """Two operations a multiplication, in the shortest of ten times."""
    durations = [5.0, 0.25, *[4.0] * 8]
    ticks = accumulate(step for seconds in durations for step in (0.0, seconds))
    monkeypatch.setattr('time.perf_counter', lambda: next(ticks))
    assert matmul_peak(CPU, side=64) == 2 * 64**3 / 0.25
    assert not list(ticks)
