"""Measuring speed, work and memory: what the benchmark tools share."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from dugi_mae.files import make_folder

Case = Callable[[], object]


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def seconds(case: Case, device: torch.device) -> float:
    """Wall time of one call, everything it started on the device included."""
    synchronise(device)
    start = time.perf_counter()
    case()
    synchronise(device)
    return time.perf_counter() - start


def interleave(
    cases: dict[str, Case], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Time cases in turns, so that a machine that slows down slows all of them.

    Args:
        cases: What to call, by name. Each is called once beforehand to warm up.
        rounds: Timed calls of each.
        device: Where the work is done.

    Returns:
        Seconds of each case in each round.
    """
    for case in cases.values():
        case()
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            times[name].append(seconds(case, device))
    return times


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """How many times faster: the median over the rounds of :func:`interleave`."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def matmul_peak(
    device: torch.device, dtype: torch.dtype = torch.float32, side: int | None = None
) -> float:
    """FLOP/s of a square matrix product, the best of ten.

    What the encoder's own products could reach on this machine at most. Without
    ``side``, matrices are large enough to fill the device: 8192 on a GPU, 1024 else.
    """
    side = side or (8192 if device.type == 'cuda' else 1024)
    a = torch.randn(side, side, device=device, dtype=dtype)
    b = torch.randn(side, side, device=device, dtype=dtype)
    torch.mm(a, b)
    return 2 * side**3 / min(seconds(lambda: torch.mm(a, b), device) for _ in range(10))


def _convolution_backward(
    grad_shape, x_shape, w_shape, _bias, *args, out_shape=None, **kwargs
) -> int:
    """As much as the forward pass for each of the two gradients.

    torch's own formula forgets the groups of a depthwise convolution.
    """
    output_mask = args[-1]
    forward = 2 * math.prod(grad_shape) * math.prod(w_shape[1:])
    return forward * sum(output_mask[:2])


def _attention(query_shape, key_shape, value_shape, *args, out_shape=None, **kwargs):
    return sdpa_flop_count(query_shape, key_shape, value_shape)


def _attention_backward(
    grad_shape, query_shape, key_shape, value_shape, *args, out_shape=None, **kwargs
):
    return sdpa_backward_flop_count(grad_shape, query_shape, key_shape, value_shape)


_aten = torch.ops.aten
#: What torch's counter lacks or counts wrongly.
_FORMULAS = {
    _aten.convolution_backward: _convolution_backward,
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def count_flops(case: Case) -> int:
    """Floating-point operations of one call: products, convolutions and attention."""
    with FlopCounterMode(display=False, custom_mapping=_FORMULAS) as counter:
        case()
    return counter.get_total_flops()


def peak_memory(case: Case, device: torch.device) -> int:
    """Bytes that torch's allocator holds at most during one call.

    Only what the call itself allocates counts: let it build the model to have the
    weights in it.
    """
    if device.type == 'cuda':
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        case()
        return torch.cuda.max_memory_allocated(device) - before
    activities = [ProfilerActivity.CPU]
    # acc_events only spares a warning: there is one cycle.
    with profile(activities=activities, profile_memory=True, acc_events=True) as run:
        case()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'trace.json'
        run.export_chrome_trace(str(path))
        events = json.loads(path.read_text())['traceEvents']
    events = [event for event in events if event.get('name') == '[memory]']
    held = peak = 0
    for event in sorted(events, key=lambda event: event['ts']):
        held += event['args']['Bytes']
        peak = max(peak, held)
    return peak


def machine(device: torch.device) -> dict[str, str | int]:
    """What a figure was measured on."""
    name = f'CPU ({torch.backends.cpu.get_cpu_capability()})'
    if device.type == 'cuda':
        name = torch.cuda.get_device_name(device)
    return dict(device=name, threads=torch.get_num_threads(), torch=torch.__version__)


def report(figures: dict[str, Any], path: Path | None) -> None:
    """Print the figures of a run, lists of rows as tables, and keep them as JSON.

    Args:
        figures: Values, and lists of dicts with the same keys, by name.
        path: The file, whose folder is made; ``None`` writes nothing.
    """
    console = Console(width=100)
    for name, value in figures.items():
        if not isinstance(value, list):
            console.print(f'{name}: {value}')
            continue
        table = Table(*value[0])
        for row in value:
            cells = (f'{x:.4g}' if isinstance(x, float) else x for x in row.values())
            table.add_row(*map(str, cells))
        console.print(table)
    if path is not None:
        make_folder(path.parent)
        path.write_text(json.dumps(figures, indent=2) + '\n', encoding='utf-8')
