"""``tools/infer.py``, run in this process."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('mmseg')

from dugi_mae.errors import DuGIError

ROOT = Path(__file__).resolve().parents[2]


def infer(monkeypatch, *arguments) -> None:
    """Call the tool as the command line would, from the root of the checkout."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', ['infer.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools/infer.py'))['main']()


@pytest.fixture(scope='module')
def spot_model(make_spot_model):
    return make_spot_model()


@pytest.fixture
def images(tmp_path):
    """Two images with a bright box each, masks of them, and a damaged file."""
    for name in ('a', 'b'):
        image = np.full((100, 130), 50, np.uint8)
        image[20:23, 30:34] = 250
        (tmp_path / 'masks').mkdir(exist_ok=True)
        (tmp_path / 'images').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / 'images' / f'{name}.png'), image)
        cv2.imwrite(str(tmp_path / 'masks' / f'{name}_pixels0.png'), image // 200)
    return tmp_path / 'images'


def test_small_targets(monkeypatch, capsys, tmp_path, images, spot_model):
    """A folder with a damaged file, masks, tiles and all flags: JSON and pictures."""
    (images / 'c.png').write_bytes(b'\x89PNG')
    out = tmp_path / 'out'
    infer(
        monkeypatch,
        *(*spot_model, images, '--out', out, '--gt', tmp_path / 'masks'),
        *('--tile', 64, '--overlap', 32, '--threshold', 0.6, '--device', 'cpu'),
        *('--batch-size', 2),
    )
    report = json.loads((out / 'results.json').read_text())
    assert [e['name'] for e in report['images']] == ['a', 'b']
    assert [t['box'] for e in report['images'] for t in e['targets']] == [
        [30, 20, 34, 23]
    ] * 2
    settings = {k: report[k] for k in ('tile', 'overlap', 'threshold')}
    assert settings == dict(tile=64, overlap=32, threshold=0.6)
    assert report['metrics']['IoU'] == report['metrics']['Pd'] == 100
    assert sorted(p.name for p in (out / 'overlays').iterdir()) == ['a.png', 'b.png']
    printed = capsys.readouterr().out
    assert '2 images, 2 targets, 1 skipped (see "failed").' in printed
    assert str(out / 'results.json') in printed and 'Pd' in printed


def test_a_model_that_ships(monkeypatch, capsys, tmp_path, images):
    """By its name, without config and checkpoint."""
    infer(monkeypatch, '--model', 'irstd-nano', images, '--out', tmp_path / 'out')
    assert '2 images' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        infer(monkeypatch, images, '--out', tmp_path / 'out')


def test_rate_of_false_alarms(monkeypatch, capsys, tmp_path, images):
    """Fewer false pixels need a higher threshold; the flag is for models that ship."""
    thresholds = []
    for rate in ('1e-3', '12e-6', '9e-6'):
        out = tmp_path / rate
        infer(monkeypatch, '--model', 'irstd-nano', '--fa', rate, images, '--out', out)
        thresholds.append(json.loads((out / 'results.json').read_text())['threshold'])
    assert thresholds == sorted(set(thresholds))
    flags = '--out', tmp_path, '--fa', '10e-6'
    with pytest.raises(
        DuGIError, match='irstd-nano has .* false alarms .*: give fa no less'
    ):
        infer(monkeypatch, '--model', 'irstd-nano', images, *flags, '--fa', '1e-12')
    with pytest.raises(SystemExit):
        infer(monkeypatch, '--model', 'irstd-nano', images, *flags, '--threshold', 0.5)
    assert '--fa goes with --model and without --threshold' in capsys.readouterr().err


def test_several_inputs_and_options(monkeypatch, tmp_path, images, spot_model):
    """Inputs may be many, as a shell expands them; settings can be overridden."""
    out = tmp_path / 'out'
    option = 'test_dataloader.dataset.pipeline.1.scale_factor=2.0'
    infer(
        monkeypatch,
        *(*spot_model, images / 'a.png', images / 'b.png', '--out', out),
        *('--cfg-options', option),
    )
    report = json.loads((out / 'results.json').read_text())
    assert [e['name'] for e in report['images']] == ['a', 'b']
    assert 'metrics' not in report


def test_reconstruction(monkeypatch, capsys, tmp_path, images, toy_pretrain_model):
    """A pre-training config reconstructs."""
    out = tmp_path / 'out'
    infer(monkeypatch, *toy_pretrain_model, images, '--out', out)
    report = json.loads((out / 'results.json').read_text())
    assert all(e['masked_mse'] > 0 for e in report['images'])
    assert sorted(p.name for p in (out / 'panels').iterdir()) == ['a.png', 'b.png']
    assert 'masked_mse' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['CONFIG', 'CHECKPOINT', 'IN/aa.png'], 'did you mean .*a.png'),
        (['CONFIG', 'CHECKPOINT', 'IN', '--overlap', '32'], '--overlap needs --tile'),
        (['PRETRAIN', 'CHECKPOINT', 'IN', '--tile', '64'], '--tile .*pre-training'),
        (['PRETRAIN', 'CHECKPOINT', 'IN'], 'does not fit the config'),
    ],
)
def test_bad_input(
    monkeypatch, tmp_path, images, spot_model, toy_pretrain_model, arguments, message
):
    """Bad input is one DuGIError that names the thing and the remedy."""
    names = dict(
        CONFIG=str(spot_model[0]),
        CHECKPOINT=str(spot_model[1]),
        PRETRAIN=str(toy_pretrain_model[0]),
    )
    arguments = [names.get(a, a.replace('IN', str(images), 1)) for a in arguments]
    with pytest.raises(DuGIError, match=message) as caught:
        infer(monkeypatch, *arguments, '--out', tmp_path / 'out')
    assert '\n' not in str(caught.value)


@pytest.mark.real_data
def test_real_image(monkeypatch, tmp_path, data_root, spot_model):
    """A 16-bit file of a camera goes in and its picture comes out."""
    path = data_root / 'radiometric16' / 'flir_radiometric.tiff'
    if not path.is_file():
        pytest.skip(f'{path} is not there')
    infer(monkeypatch, *spot_model, path, '--out', tmp_path)
    picture = cv2.imread(str(tmp_path / 'overlays' / 'flir_radiometric.png'))
    assert picture.shape == (1024, 1280, 3)
