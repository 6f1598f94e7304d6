"""Time a pre-training config: sparse encoder against the dense one, in one run.

Both forms share weights, images and masks, LayerNorm, attention and decoder; the dense
one computes the convolutional stages on masked tokens too and has the optimizer as
mmengine builds it, with a group for each tensor. Prints tables and, with --out, writes
JSON.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from pathlib import Path
from typing import Any

import torch
from benchmark import (
    Case,
    count_flops,
    interleave,
    machine,
    matmul_peak,
    peak_memory,
    ratio,
    report,
)
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor

from dugi_mae.apis.build import pick_device
from dugi_mae.cli import CFG_OPTIONS, at_least, override, read_config, run_cli
from dugi_mae.errors import DuGIError
from dugi_mae.mm.build import build_from_config, type_name

IMPLS = ('dense', 'sparse')


def parse_args() -> argparse.Namespace:
    """Parse the flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pre-training config')
    parser.add_argument('--batch-size', type=at_least(1), default=8, help='images, 8')
    parser.add_argument(
        '--size', type=at_least(1), default=224, help='side in pixels, 224'
    )
    parser.add_argument(
        '--rounds', type=at_least(1), default=5, help='timed calls of each, 5'
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (a GPU if there is one)')
    parser.add_argument('--bf16', action='store_true', help='bfloat16 autocast')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    parser.add_argument('--cfg-options', **CFG_OPTIONS)
    return parser.parse_args()


class Pretraining:
    """The model of a config in one form, its optimizer, and the pieces of a step.

    Args:
        config: Of pre-training.
        impl: Form of the encoder.
        images: ``(B, C, H, W)``, normalised.
        bf16: Whether to autocast to bfloat16.
    """

    def __init__(
        self, config: Config, impl: str, images: Tensor, bf16: bool = False
    ) -> None:
        config = copy.deepcopy(config)
        config.model.backbone.impl = impl
        torch.manual_seed(0)
        self.model = build_from_config(config)
        self.model.init_weights()
        self.model.to(images.device).train()
        if impl == 'dense':
            config.optim_wrapper.pop('constructor', None)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self.optim = build_optim_wrapper(self.model, config.optim_wrapper)
        self.gradients: dict[Tensor, Tensor] = {}
        self.images = images
        self.mask = self.model.masking(images)
        self.autocast = torch.autocast(images.device.type, torch.bfloat16, enabled=bf16)

    def encoder_forward(self) -> Tensor:
        """Visible tokens without gradients."""
        with torch.no_grad(), self.autocast:
            return self.model.backbone(self.images, self.mask)

    def encoder_backward(self) -> None:
        """Visible tokens and the gradients of the encoder's weights."""
        with self.autocast:
            tokens = self.model.backbone(self.images, self.mask)
        tokens.sum().backward()
        self.model.zero_grad()

    def step(self) -> None:
        """Masking, encoder, guidance, decoder, loss, backwards and optimizer."""
        with self.autocast:
            loss = self.model.loss(self.images)['loss']
        self.optim.update_params(loss)

    def optimize(self) -> None:
        """The optimizer alone, on gradients that are there after the first call."""
        if not self.gradients:
            trained = [p for p in self.model.parameters() if p.requires_grad]
            self.gradients = {p: torch.full_like(p, 1e-3) for p in trained}
        for parameter, gradient in self.gradients.items():
            parameter.grad = gradient
        self.optim.optimizer.step()
        self.model.zero_grad()

    def guide(self) -> None:
        """The guidance forward and backward, on tokens that are zero."""
        width = self.model.backbone.arch.embed_dims[-1]
        shape = (*self.mask.ids_keep.shape, width)
        tokens = self.images.new_zeros(shape, requires_grad=True)
        with self.autocast:
            guided = self.model.guidance(tokens, self.images, self.mask)
        guided.sum().backward()
        self.model.zero_grad()

    def stages(self) -> dict[str, Case]:
        """What is compared."""
        return {
            'encoder forward': self.encoder_forward,
            'encoder forward + backward': self.encoder_backward,
            'pre-training step': self.step,
        }

    def parts(self) -> dict[str, Case]:
        """What a step consists of, apart from encoder and decoder."""
        parts: dict[str, Case] = dict(
            masking=lambda: self.model.masking(self.images), optimizer=self.optimize
        )
        return parts | (dict(guidance=self.guide) if self.model.guidance else {})


def measure(config: Config, args: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run."""
    device = pick_device(args.device)
    dtype = torch.bfloat16 if args.bf16 else torch.float32
    channels = config.model.backbone.get('in_channels', 3)
    images = torch.randn(args.batch_size, channels, args.size, args.size, device=device)

    def make(impl: str) -> Pretraining:
        return Pretraining(config, impl, images, args.bf16)

    def run(impl: str) -> None:
        model = make(impl)
        for _ in range(2):
            model.step()

    models = {impl: make(impl) for impl in IMPLS}
    stages = []
    for stage in models['sparse'].stages():
        cases = {impl: models[impl].stages()[stage] for impl in IMPLS}
        dense, flops = (count_flops(cases[impl]) for impl in IMPLS)
        # In each round anew: the clock of a machine changes within seconds.
        peaks: list[float] = []
        cases['peak'] = lambda peaks=peaks: peaks.append(matmul_peak(device, dtype))
        times = interleave(cases, args.rounds, device)
        rates = [flops / seconds for seconds in times['sparse']]
        shares = [rate / peak for rate, peak in zip(rates, peaks[1:], strict=True)]
        stages.append(
            {
                'stage': stage,
                **{f'{impl}, s': statistics.median(times[impl]) for impl in IMPLS},
                'ratio': ratio(times['dense'], times['sparse']),
                'bound': dense / flops,
                'GFLOP/s': statistics.median(rates) / 1e9,
                'of peak': statistics.median(shares),
            }
        )
    parts = models['sparse'].parts()
    times = interleave(parts | dict(step=models['sparse'].step), args.rounds, device)
    step = statistics.median(times.pop('step'))
    memory = []
    for what, cases in (
        ('of a step', {impl: models[impl].step for impl in IMPLS}),
        ('with weights', {impl: lambda i=impl: run(i) for impl in IMPLS}),
    ):
        dense, sparse = (peak_memory(cases[impl], device) / 2**20 for impl in IMPLS)
        row = {'memory, MiB': what, 'dense': dense, 'sparse': sparse}
        memory.append(row | dict(ratio=sparse / dense))
    return dict(
        machine=machine(device),
        config=Path(args.config).stem,
        batch_size=args.batch_size,
        size=args.size,
        dtype=str(dtype).removeprefix('torch.'),
        rounds=args.rounds,
        stages=stages,
        memory=memory,
        shares_of_step={name: statistics.median(t) / step for name, t in times.items()},
    )


def main() -> None:
    """Run the tool."""
    args = parse_args()
    config = read_config(args.config)
    override(config, args.cfg_options)
    if type_name(config.model.get('backbone') or {'type': ''}) != 'MaskedConvViT':
        raise DuGIError(
            f'{args.config} does not pre-train a MaskedConvViT: name a config of '
            'configs/pretrain'
        )
    # The optimizer's constructor tells of every parameter.
    MMLogger.get_instance('benchmark', log_level='WARNING')
    report(measure(config, args), args.out)


if __name__ == '__main__':
    run_cli(main)
