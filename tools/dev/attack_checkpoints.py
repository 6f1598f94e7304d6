"""Load malicious and broken checkpoints through every door, from several threads.

Each file is tried by all that reads checkpoints: the core, ``init_cfg``, ``load_from``,
``--resume``, an inferencer and the converters. Nothing that a file holds may run,
nothing outside its folder may be removed, environment and table of loaders must stay; a
good file must come through every door. Needs no data and no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import sys
import tempfile
import threading
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from fuzz.checkpoints import damaged_checkpoint, pretrained, published, run_tool
from fuzz.configs import ARCH, IMG_SIZE, PRETRAINING, build_toy
from fuzz.trial import Trial
from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader, Runner
from tqdm import tqdm

from dugi_mae import enable_safe_loading
from dugi_mae.apis import ReconstructionInferencer
from dugi_mae.checkpoints.io import read_checkpoint
from dugi_mae.cli import at_least, run_cli
from dugi_mae.mm.hooks import SafeCheckpointHook
from dugi_mae.mm.models import ConvViT
from dugi_mae.mm.pretrained import DuGIPretrained
from dugi_mae.mm.resume import find_checkpoint

LOADING = dict(type='LoadImageFromFile', backend_args=dict(backend='infrared'))
CONFIG = Config(
    dict(
        default_scope='mmpretrain',
        model=PRETRAINING,
        test_dataloader=dict(dataset=dict(pipeline=[LOADING])),
    )
)
#: Tools take their arguments from the process.
TOOLS = threading.Lock()


class Payload:
    """An object whose unpickling makes a folder."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.proof),)


def make_file(number: int, root: Path) -> Path:
    """Write one file: with code, foreign paths or dead weights, or a damaged one."""
    rng = random.Random(number)
    folder = root / 'runs' / str(number)
    folder.mkdir(parents=True)
    path, proof = folder / 'epoch_1.pth', root / 'proofs' / str(number)
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    weights = {key: value.clone() for key, value in pretrained().items()}
    content = dict(state_dict=weights, meta=dict(epoch=1, iter=1), message_hub=hub)
    content['model'] = published()
    if number == 0:
        torch.save(content, path)
        return path
    kind = number % 5
    if kind == 0:  # a pickle that calls a function
        holder = rng.choice((content, weights, content['meta'], hub['runtime_info']))
        holder[rng.choice(('optimizer', 'cfg', 'extra'))] = Payload(proof)
    elif kind == 1:  # a config that does, once it is executed or built
        text = rng.choice((f"import os\nos.mkdir('{proof}')", f"os.mkdir('{proof}')"))
        holder = rng.choice((content['meta'], hub['runtime_info']))
        holder['config' if holder is content['meta'] else 'cfg'] = text
    elif kind == 2:  # files of others, named as its own
        hub['runtime_info'] |= dict(
            best_ckpt=str(root / 'precious'), keep_ckpt_ids=['../../../precious/x', 1]
        )
        (folder / 'last_checkpoint').write_text(str(root / 'precious' / 'x.pth'))
    elif kind == 3:  # weights that are not finite
        weights[rng.choice(list(weights))].fill_(rng.choice((np.nan, np.inf)))
    else:
        return damaged_checkpoint(Trial(rng, folder), weights, 'epoch_1')
    torch.save(content, path, _use_new_zipfile_serialization=rng.random() < 0.8)
    if rng.random() < 0.2 and zipfile.is_zipfile(path):  # as a bomb is
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
            for name, data in parts.items():
                file.writestr(name, data)
    return path


def make_runner(name: str, root: Path) -> Runner:
    """A runner that trains the toy; its name keeps threads apart."""
    data = [dict(inputs=torch.zeros(3, IMG_SIZE, IMG_SIZE))] * 2
    return Runner(
        model=build_toy(),
        work_dir=str(root / name),
        train_dataloader=dict(batch_size=1, dataset=data, sampler=None),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type=SafeCheckpointHook)),
        experiment_name=name,
        log_level='CRITICAL',
        cfg=Config(),
    )


def doors(path: Path, runner: Runner) -> dict[str, Callable[[], object]]:
    """Every way to a file's content, by name."""
    out = path.with_name('out.pth')

    def init(kind: type, **options: str) -> None:
        init_cfg = dict(type=kind, checkpoint=str(path), **options)
        ConvViT(ARCH, img_size=IMG_SIZE, init_cfg=init_cfg).init_weights()

    def tool(*arguments: object) -> None:
        with TOOLS:
            run_tool(*arguments)

    return dict(
        read=partial(read_checkpoint, path),
        DuGIPretrained=partial(init, DuGIPretrained),
        Pretrained=partial(init, PretrainedInit, prefix='backbone.'),
        load_from=partial(runner.load_checkpoint, str(path)),
        resume=partial(runner.resume, str(path)),
        auto_resume=partial(find_checkpoint, path.parent),
        inferencer=partial(ReconstructionInferencer, CONFIG, path),
        convert=partial(tool, 'convert_checkpoint', path, out, '--to', 'backbone'),
        publish=partial(tool, 'publish_model', path, out),
    )


def main() -> None:
    """Try all files through all doors and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--files', type=at_least(1), default=200)
    parser.add_argument('--threads', type=at_least(1), default=4)
    args = parser.parse_args()
    logging.disable()
    warnings.simplefilter('ignore')
    with tempfile.TemporaryDirectory() as name, enable_safe_loading():
        root = Path(name)
        (root / 'precious').mkdir()
        (root / 'precious' / 'x.pth').write_bytes(b'')
        (root / 'proofs').mkdir()
        paths = [make_file(number, root) for number in range(args.files)]
        before = dict(os.environ), dict(CheckpointLoader._schemes)
        counts: Counter[tuple[str, str]] = Counter()
        closed: list[str] = []

        def work(thread: int) -> None:
            runner = make_runner(f'thread{thread}', root)
            for path in paths[thread :: args.threads]:
                for door, attempt in doors(path, runner).items():
                    try:
                        attempt()
                        counts[door, 'loaded'] += 1
                    except Exception as error:
                        counts[door, type(error).__name__] += 1
                        if path == paths[0]:
                            closed.append(f'{door}: {error}')

        with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
            with ThreadPoolExecutor(args.threads) as pool:
                list(tqdm(pool.map(work, range(args.threads)), total=args.threads))
        ran = sorted(path.name for path in (root / 'proofs').iterdir())
        kept = (root / 'precious' / 'x.pth').is_file()
        same = (dict(os.environ), dict(CheckpointLoader._schemes)) == before
    for door in dict.fromkeys(door for door, _ in sorted(counts)):
        found = {kind: n for (d, kind), n in sorted(counts.items()) if d == door}
        print(f'{door:<16}' + ', '.join(f'{kind} {n}' for kind, n in found.items()))
    print(f'{len(paths)} files, {args.threads} threads; executed: {len(ran)} {ran}')
    print(f'other files kept: {kept}; environment and loaders unchanged: {same}')
    print(f'doors closed to a good file: {closed or "none"}')
    sys.exit(bool(ran or closed) or not kept or not same)


if __name__ == '__main__':
    run_cli(main)
