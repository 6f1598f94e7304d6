"""What all tests share: one thread, fixed seeds, and skips that say why."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Before torch is imported by any test: toy tensors gain nothing from more threads, and
# the workers of pytest-xdist would fight for the cores.
os.environ['OMP_NUM_THREADS'] = '1'
os.environ['MKL_NUM_THREADS'] = '1'
os.environ.setdefault('MPLBACKEND', 'Agg')

REPO_ROOT = Path(__file__).resolve().parents[1]
DATA_ROOT = Path(
    os.environ.get('DUGI_DATA') or REPO_ROOT.parent / 'shared' / 'data'
).resolve()
NO_DATA = f'no real infrared images in {DATA_ROOT}: set DUGI_DATA to their folder'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    gpu = [item for item in items if item.get_closest_marker('gpu')]
    if gpu and not has_cuda():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason='no CUDA device'))
    if not DATA_ROOT.is_dir():
        for item in items:
            if item.get_closest_marker('real_data'):
                item.add_marker(pytest.mark.skip(reason=NO_DATA))


def has_cuda() -> bool:
    """Whether torch is here and sees a device."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Start every test from the same random state, whatever ran before it.

    Only libraries that are loaded already are touched, so that a test without torch
    does not pay for importing it.
    """
    random.seed(0)
    if 'numpy' in sys.modules:
        sys.modules['numpy'].random.seed(0)
    if 'torch' in sys.modules:
        sys.modules['torch'].manual_seed(0)
        sys.modules['torch'].set_num_threads(1)


@pytest.fixture(autouse=True)
def no_default_scope() -> None:
    """Start every test without a default scope, which a runner leaves behind."""
    if 'mmengine.registry' in sys.modules:
        # There is no public way back to no scope at all.
        sys.modules['mmengine.registry'].DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def repo_root() -> Path:
    """The folder of this checkout."""
    return REPO_ROOT


@pytest.fixture(scope='session')
def data_root() -> Path:
    """The folder of real infrared images; the test is skipped where there is none."""
    if not DATA_ROOT.is_dir():
        pytest.skip(NO_DATA)
    return DATA_ROOT


SPOT_MODEL = """
custom_imports = dict(imports=['dugi_mae.mmseg'], allow_failed_imports=False)
default_scope = 'mmseg'
model = dict(
    type='SmallTargetSegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[108.375] * 3, std=[51.0] * 3
    ),
    decode_head=dict(
        type='FCNHead',
        in_index=-1,
        in_channels=3,
        channels=3,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.0,
        num_classes=2,
        out_channels={channels},
        threshold=0.5,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid={channels} == 1),
    ),
    test_cfg=dict(mode='whole'),
)
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='LoadImageFromFile', backend_args=dict(backend='infrared')
            ),
            dict(type='Resize', scale_factor={scale}, keep_ratio=True),
            dict(type='LoadTargetMask'),
            dict(type='PackSegInputs'),
        ]
    )
)
"""


@pytest.fixture(scope='session')
def make_spot_model(tmp_path_factory) -> Callable[..., tuple[Path, Path]]:
    """Make a config and checkpoint of a segmentor that marks what is bright.

    Its head sees the image alone and calls a pixel target from a grey value of 160 on,
    so that what it must find is known. Arguments: ``channels`` of the logits, 1 or 2,
    and ``scale``, how much the pipeline enlarges.
    """
    import torch
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    def make(channels: int = 1, scale: float = 1.0) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp('spot_model')
        config, checkpoint = folder / 'spot.py', folder / 'spot.pth'
        config.write_text(SPOT_MODEL.format(channels=channels, scale=scale))
        with DefaultScope.overwrite_default_scope('mmseg'):
            model = MODELS.build(Config.fromfile(config).model)
        with torch.no_grad():
            conv = model.decode_head.conv_seg
            conv.weight.zero_()
            conv.bias.zero_()
            conv.weight[-1] = 10 / 3
            conv.bias[-1] = 10 * (108.375 - 159.53) / 51
        torch.save(dict(state_dict=model.state_dict()), checkpoint)
        return config, checkpoint

    return make


@pytest.fixture(scope='session')
def toy_pretrain_model(tmp_path_factory) -> tuple[Path, Path]:
    """Config and checkpoint of a pre-training model with random weights."""
    import torch
    import toys
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    folder = tmp_path_factory.mktemp('pretrain_model')
    config, checkpoint = folder / 'toy_pretrain.py', folder / 'toy_pretrain.pth'
    base = REPO_ROOT / 'configs/pretrain/dugi-mae_convvit-tiny_infrared-unlabeled.py'
    config.write_text(f"""
_base_ = {str(base)!r}
model = dict(
    backbone=dict(arch={toys.ARCH_CONFIG}),
    neck=dict(decoder_embed_dims=16, decoder_num_heads=2))
""")
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return config, checkpoint


@pytest.fixture(scope='session')
def write_bad_images() -> Callable[[Path], dict[str, str]]:
    """Write one file of each bad kind into a folder; returns name -> reason."""
    import struct
    import zlib

    import cv2
    import numpy as np
    import tifffile

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + checksum

    def write(folder: Path) -> dict[str, str]:
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.RandomState(0).randint(0, 256, (40, 40)).astype(np.uint8)
        png = cv2.imencode('.png', noise)[1].tobytes()
        jpeg = cv2.imencode('.jpg', noise)[1].tobytes()
        header = struct.pack('>IIBBBBB', 60_000, 60_000, 8, 0, 0, 0, 0)
        parts = ((b'IHDR', header), (b'IDAT', zlib.compress(bytes(9))), (b'IEND', b''))
        half = len(png) // 2
        contents = {
            'empty.png': b'',
            'cut.jpg': jpeg[: len(jpeg) // 2],
            'text.png': b'404 not found',
            'bomb.png': png[:8] + b''.join(chunk(*part) for part in parts),
            'damaged.png': png[:half] + bytes(200) + png[half + 200 :],
        }
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        cv2.imwrite(str(folder / 'pixel.bmp'), noise[:1, :1])
        tifffile.imwrite(folder / 'nan.tiff', np.full((40, 40), np.nan, np.float32))
        return {
            'empty.png': 'empty',
            'cut.jpg': 'cut short',
            'text.png': 'not an image',
            'bomb.png': 'too large',
            'damaged.png': 'damaged',
            'pixel.bmp': 'too small',
            'nan.tiff': 'not finite',
        }

    return write
