"""The small-target inferencer on a segmentor that marks what is bright."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import tifffile
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

pytest.importorskip('mmseg')

from toys import write_image

from dugi_mae import create_small_target_net
from dugi_mae.apis import SmallTargetInferencer
from dugi_mae.errors import DuGIError
from dugi_mae.evaluation.small_target import in_field_units, small_target_scores
from dugi_mae.visualization.small_target import FALSE_ALARM, HIT, MISS

#: The target of :func:`scene`: columns 20..23, rows 30..32.
BOX = [20, 30, 24, 33]
MASK = np.zeros((60, 80), bool)
MASK[30:33, 20:24] = True


def scene(height=60, width=80, box=BOX) -> np.ndarray:
    """A dark ``(H, W)`` uint8 image with one bright box."""
    image = np.full((height, width), 50, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 250
    return image


@pytest.fixture(scope='module')
def spot_model(make_spot_model):
    """The model without enlargement, so that boxes are exact."""
    return make_spot_model()


@pytest.fixture(scope='module')
def inferencer(spot_model):
    """Predicts full images."""
    return SmallTargetInferencer(*spot_model, device='cpu')


def write_video(path, frames) -> None:
    """Write grey frames as Motion JPEG."""
    height, width = frames[0].shape
    code = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(path), code, 10, (width, height))
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()


DEEP = 7000 + scene().astype(np.uint16)


@pytest.mark.parametrize(
    ('make', 'count'),
    [
        (lambda d: d / 'a.png', 1),
        (lambda d: str(d / 'deep.tif'), 1),
        (lambda d: d, 2),
        (lambda d: str(d / '*.tif'), 1),
        (lambda d: d / 'video/clip.avi', 3),
        (lambda d: scene(), 1),
        (lambda d: np.repeat(scene()[..., None], 3, axis=2), 1),
        (lambda d: DEEP, 1),
        (lambda d: scene() / 255, 1),
        (lambda d: [scene(), str(d / 'deep.tif'), d / 'a.png'], 3),
    ],
    ids='file deep-file folder glob video grey colour 16-bit float list'.split(),
)
def test_every_kind_of_input(inferencer, tmp_path, make, count):
    """Each kind gives one result per image, with the target where it is."""
    write_image(tmp_path / 'in/a.png', scene())
    tifffile.imwrite(tmp_path / 'in/deep.tif', DEEP)
    given = make(tmp_path / 'in')
    video = 'video' in str(given)
    if video:
        given.parent.mkdir()
        write_video(given, [scene()] * 3)
    results = inferencer(given)
    assert len(results) == len({result.name for result in results}) == count
    for result in results:
        assert result.mask.shape == result.probability.shape == (60, 80)
        assert np.allclose(result.boxes, [BOX], atol=int(video))
        assert (result.frame is not None) == video
    assert inferencer.report['failed'] == []


def test_result_fields(inferencer):
    """Mask, boxes, centroids, scores and areas are those of the bright parts."""
    image = np.full((40, 50), 50, np.uint8)
    image[0:2, 0:3] = 255
    image[20, 30] = image[21, 31] = 200  # touch at a corner: one target
    image[39, 49] = 170
    (result,) = inferencer(image)
    assert result.mask.dtype == bool
    assert (result.mask == (image >= 160)).all()
    assert result.boxes.tolist() == [[0, 0, 3, 2], [30, 20, 32, 22], [49, 39, 50, 40]]
    assert np.allclose(result.centroids, [[1, 0.5], [30.5, 20.5], [49, 39]])
    assert result.areas.tolist() == [6, 2, 1]
    expected = [result.probability[y, x] for x, y in ((0, 0), (30, 20), (49, 39))]
    assert np.allclose(result.scores, expected)
    assert (result.name, result.source, result.frame) == ('array_0', 'array', None)
    assert result.match is None


def test_nothing_to_find(inferencer, tmp_path):
    """Empty arrays of the same shapes; the JSON has null, not NaN, for Pd."""
    empty = np.full((32, 32), 20, np.uint8)
    masks = write_image(tmp_path / 'masks/array_0.png', 0 * empty).parent
    (result,) = inferencer(empty, tmp_path, gt=masks)
    assert result.boxes.shape == (0, 4) and result.centroids.shape == (0, 2)
    assert result.scores.shape == result.areas.shape == (0,)
    text = (tmp_path / 'results.json').read_text()
    assert 'NaN' not in text
    report = json.loads(text)
    assert report['images'][0]['targets'] == []
    assert report['metrics']['Pd'] is None and report['metrics']['Fa'] == 0


def test_threshold(spot_model):
    """A pixel is target above the given threshold, else above that of the config."""
    image = np.full((32, 32), 50, np.uint8)
    image[5, 5], image[9, 9] = 158, 165
    config = Config.fromfile(spot_model[0])
    for head, given, used in ((0.3, None, 0.3), (0.9, None, 0.9), (0.9, 0.3, 0.3)):
        config.model.decode_head.threshold = head
        run = SmallTargetInferencer(config, spot_model[1], 'cpu', threshold=given)
        (result,) = run(image)
        assert result.areas.tolist() == ([1, 1] if used == 0.3 else [])
        assert (result.mask == (result.probability > used)).all()
        assert run.report['threshold'] == used


def test_the_model_that_ships(tmp_path):
    """By its name: a spot is found, as by the network in plain PyTorch."""
    image = cv2.GaussianBlur(scene(100, 130, [60, 40, 63, 43]), (3, 3), 0)
    run = SmallTargetInferencer('irstd-nano', device='cpu')
    (result,) = run(image)
    assert len(result.boxes) == 1 and np.allclose(result.centroids, [[61, 41]], atol=1)
    net = create_small_target_net(pretrained=True).eval()
    alone = net.predict(net.prepare(image))[0, 0].numpy()
    np.testing.assert_allclose(result.probability, alone, atol=1e-5)
    with pytest.raises(DuGIError, match="model='irstd-nan'.*did you mean 'irstd-nano'"):
        SmallTargetInferencer('irstd-nan')


@pytest.mark.parametrize('as_list', [False, True])
def test_matching_of_the_config(spot_model, tmp_path, as_list):
    """``distance``, ``fa_match`` and ``empty`` are those of the config's metric.

    Image 0 has a hit 4 pixels away and a false alarm of the same area, image 1 nothing.
    """
    options = dict(distance=5.0, fa_match='area', empty='one')
    config = Config.fromfile(spot_model[0])
    metric = dict(type='SmallTargetMetric', **options)
    config.test_evaluator = [dict(type='IoUMetric'), metric] if as_list else metric
    run = SmallTargetInferencer(config, spot_model[1], 'cpu')
    images = [scene(box=[24, 30, 28, 33]), np.full((60, 80), 50, np.uint8)]
    images[0][5:8, 60:64] = 250
    for i, mask in enumerate((MASK, np.zeros_like(MASK))):
        write_image(tmp_path / f'array_{i}.png', mask.astype(np.uint8))
    results = run(images, gt=tmp_path)
    assert results[0].match.hits.tolist() == [1]
    found = [r.mask for r in results], [MASK, np.zeros_like(MASK)]
    scores = small_target_scores(*found, [r.probability for r in results], **options)
    assert run.report['metrics'] == pytest.approx(in_field_units(scores))
    assert scores['Fa'] == 0 and scores['nIoU'] == 0.5 and scores['Pd'] == 1
    assert options.items() <= run.report.items()


@pytest.mark.parametrize('channels', [1, 2])
@pytest.mark.parametrize('size', [(60, 80), (45, 77)])
def test_equals_the_host(make_spot_model, tmp_path, channels, size):
    """Own resolution and the very mask that mmseg gives, with the config's resizing."""
    config, checkpoint = make_spot_model(channels=channels, scale=2.0)
    inferencer = SmallTargetInferencer(config, checkpoint, device='cpu')
    image = cv2.GaussianBlur(np.random.randint(0, 256, size, np.uint8), (5, 5), 0)
    image[20:26, 30:36] = 255
    path = str(write_image(tmp_path / 'a.png', image))
    steps = Config.fromfile(config).test_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = Compose([s for s in steps if s['type'] != 'LoadTargetMask'])
    sample = pipeline(dict(img_path=path))
    assert sample['inputs'].shape[-2:] == (2 * size[0], 2 * size[1])
    with torch.no_grad():
        host = inferencer.model.test_step({k: [v] for k, v in sample.items()})[0]
    (result,) = inferencer(path)
    assert result.mask.shape == size
    assert (result.mask == host.pred_sem_seg.data[0].numpy().astype(bool)).all()
    assert result.mask.any()


@pytest.mark.parametrize('scale', [1.0, 1.5, 2.0])
@pytest.mark.parametrize('size', [(70, 90), (64, 200), (20, 150), (131, 97)])
def test_tiled_equals_full_for_a_local_model(make_spot_model, size, scale):
    """No visible seams, whatever the size and the enlargement."""
    model = make_spot_model(scale=scale)
    image = np.random.randint(0, 256, size, np.uint8)
    full, tiled = (
        SmallTargetInferencer(*model, device='cpu', tile=tile, overlap=32)(image)[0]
        for tile in (None, 64)
    )
    assert np.allclose(full.probability, tiled.probability, atol=1e-6)
    assert (full.mask == tiled.mask).all() and full.mask.any()


@pytest.mark.parametrize('tile', [None, 64])
@pytest.mark.parametrize('batch_size', [1, 2, 3, 100])
def test_batches_change_nothing(spot_model, batch_size, tile):
    """Images of mixed sizes: same results in the same order for any batch size."""
    inferencer = SmallTargetInferencer(*spot_model, device='cpu', tile=tile, overlap=32)
    sizes = [(60, 80), (60, 80), (60, 80), (64, 80), (60, 80), (90, 100), (90, 100)]
    boxes = [[5 + i, 9, 8 + i, 12 + i] for i in range(len(sizes))]
    images = [scene(*size, box) for size, box in zip(sizes, boxes, strict=True)]
    results = inferencer(images, batch_size=batch_size)
    assert [r.name for r in results] == [f'array_{i}' for i in range(len(sizes))]
    assert [r.boxes.tolist() for r in results] == [[box] for box in boxes]
    for result, image in zip(results, images, strict=True):
        assert (result.mask == (image > 159)).all()


def test_gt(inferencer, tmp_path):
    """Hits, misses and false alarms in JSON and picture, and the metric's own scores.

    Image 0 has a hit, image 1 a false alarm and a miss, image 2 nothing to find.
    """
    images = [scene(), scene(box=[60, 10, 64, 13]), np.full((60, 80), 50, np.uint8)]
    masks = [MASK, MASK, np.zeros_like(MASK)]
    files = [tmp_path / f'masks/scene_{n}.png' for n in ('0', '1_pixels0', '2')]
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        write_image(tmp_path / f'images/scene_{i}.png', image)
        write_image(files[i], mask.astype(np.uint8) * (255 if i == 1 else 1))
    results = inferencer(tmp_path / 'images', tmp_path / 'out', gt=tmp_path / 'masks')
    assert [len(r.match.misses) for r in results] == [0, 1, 0]

    report = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert report == inferencer.report
    found, probabilities = zip(*((r.mask, r.probability) for r in results), strict=True)
    scores = small_target_scores(found, masks, probabilities)
    assert report['metrics'] == pytest.approx(in_field_units(scores))
    for entry, hits, misses, colors in zip(
        report['images'],
        [[True], [False], []],
        [[], [BOX], []],
        [{HIT}, {FALSE_ALARM, MISS}, set()],
        strict=True,
    ):
        assert [t['hit'] for t in entry['targets']] == hits
        assert [m['box'] for m in entry['misses']] == misses
        picture = cv2.imread(str(tmp_path / 'out' / entry['picture']))[..., ::-1]
        seen = {tuple(c) for c in picture.reshape(-1, 3).tolist() if len(set(c)) > 1}
        assert seen == colors


def test_ambiguous_gt(inferencer, tmp_path):
    """A mask that fits two images, or an image with two masks, is an error."""
    for name in ('x/a', 'y/a'):
        write_image(tmp_path / f'in/{name}.png', scene())
    masks = write_image(tmp_path / 'masks/a.png', MASK.astype(np.uint8)).parent
    with pytest.raises(DuGIError, match=r'x/a\.png and .*y/a\.png.*mask .*a\.png'):
        inferencer(tmp_path / 'in', gt=masks)
    write_image(masks / 'a_pixels0.png', MASK.astype(np.uint8))
    with pytest.raises(DuGIError, match=r'a_pixels0\.png or .*/a\.png: remove'):
        inferencer(tmp_path / 'in/x', gt=masks)


@pytest.mark.parametrize('inputs', ['in', 'in/*/a.png'])
def test_gt_of_sequences(inferencer, tmp_path, inputs):
    """Frames of one name have the masks of their own folders."""
    for name, mask in dict(x=MASK, y=np.zeros_like(MASK)).items():
        write_image(tmp_path / f'in/{name}/a.png', scene())
        write_image(tmp_path / f'masks/{name}/a.png', mask.astype(np.uint8))
    results = inferencer(str(tmp_path / inputs), gt=tmp_path / 'masks')
    assert [len(result.match.labels) for result in results] == [1, 0]


def test_what_cannot_be_used_is_skipped(inferencer, tmp_path):
    """Damaged files and missing or mismatched masks are named; the rest is done."""
    source, masks, out = (tmp_path / n for n in ('images', 'masks', 'out'))
    for name in 'abcd':
        write_image(source / f'{name}.png', scene())
        write_image(masks / f'{name}.png', MASK.astype(np.uint8))
    content = (source / 'a.png').read_bytes()
    (source / 'a.png').write_bytes(content[: len(content) // 2])
    (masks / 'b.png').unlink()
    write_image(masks / 'c.png', np.zeros((10, 10), np.uint8))
    (source / 'notes.txt').write_text('not an image')
    results = inferencer(source, out, gt=masks, batch_size=4)
    assert [r.name for r in results] == ['d']
    failed = json.loads((out / 'results.json').read_text())['failed']
    reasons = dict(a='a.png', b='image b has no mask', c='10x10 pixels')
    assert [f['name'] for f in failed] == list(reasons)
    for entry in failed:
        assert reasons[entry['name']] in entry['reason']
    assert sorted(p.name for p in (out / 'overlays').iterdir()) == ['d.png']


def test_stopping_early_keeps_the_json(inferencer, tmp_path):
    """A long run that is stopped has written the results so far."""
    stream = inferencer.stream([scene()] * 5, tmp_path)
    next(stream), next(stream)
    stream.close()
    report = json.loads((tmp_path / 'results.json').read_text())
    assert [entry['name'] for entry in report['images']] == ['array_0', 'array_1']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(tile=100), 'tile=100'),
        (dict(tile=64, overlap=64), 'overlap=64.*tile=64'),
        (dict(threshold=1.5), 'threshold=1.5.*between 0 and 1'),
        (dict(device='cudo'), "device 'cudo'"),
        (dict(config='configs/segmentation/upernet.py'), 'did you mean'),
        (dict(checkpoint='no.pth'), 'no.pth does not exist'),
    ],
)
def test_bad_arguments(spot_model, repo_root, monkeypatch, arguments, message):
    """Each bad argument is named in one line."""
    monkeypatch.chdir(repo_root)
    config, checkpoint = spot_model
    arguments = dict(config=config, checkpoint=checkpoint, device='cpu') | arguments
    with pytest.raises(DuGIError, match=message) as caught:
        SmallTargetInferencer(**arguments)
    assert '\n' not in str(caught.value)


def test_bad_checkpoints(spot_model, toy_pretrain_model, tmp_path):
    """A cut file, another model's and one without a part never pass as this model."""
    config, checkpoint = spot_model
    cut, part = tmp_path / 'cut.pth', tmp_path / 'part.pth'
    cut.write_bytes(checkpoint.read_bytes()[:-2000])
    state = torch.load(checkpoint)['state_dict']
    torch.save({k: v for k, v in state.items() if 'bias' not in k}, part)
    for path, message in (
        (cut, 'cut.pth cannot be read safely'),
        (toy_pretrain_model[1], 'toy_pretrain.pth does not fit'),
        (part, r'Missing key.*decode_head.conv_seg'),
    ):
        with pytest.raises(DuGIError, match=message) as caught:
            SmallTargetInferencer(config, path)
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(default_scope='mmdet'), 'DetInferencer'),
        (dict(default_scope='mmaction'), "default_scope='mmaction'"),
        (dict(default_scope='mmpretrain'), 'use ReconstructionInferencer'),
        ({'test_dataloader': None}, "test_dataloader.*backend='infrared'"),
        ({'model.decode_head.num_convz': 1}, 'decode_head.*num_convz.*num_convs'),
    ],
)
def test_bad_configs(spot_model, change, message):
    """A config for something else is named with what to do."""
    config = Config.fromfile(spot_model[0])
    config.merge_from_dict(change)
    with pytest.raises(DuGIError, match=message):
        SmallTargetInferencer(config, spot_model[1], device='cpu')


def test_more_classes_are_refused(make_spot_model, tmp_path):
    """A model with three classes has no target class to speak of."""
    config, checkpoint = make_spot_model(channels=2)
    config = Config.fromfile(config)
    config.model.decode_head.update(num_classes=3, out_channels=3)
    state = torch.load(checkpoint)['state_dict']
    for key in ('weight', 'bias'):
        old = state[f'decode_head.conv_seg.{key}']
        state[f'decode_head.conv_seg.{key}'] = torch.cat([old, old[:1]])
    torch.save(state, tmp_path / 'three.pth')
    with pytest.raises(DuGIError, match='3 classes.*MMSegInferencer'):
        SmallTargetInferencer(config, tmp_path / 'three.pth', device='cpu')


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (dict(inputs=[]), 'list of inputs is empty'),
        (dict(batch_size=0), 'batch_size=0.*at least 1'),
        (dict(gt='no/masks'), 'no/masks does not exist: correct gt'),
        (dict(out_dir=__file__), 'output folder'),
    ],
)
def test_bad_calls(inferencer, call, message):
    """What cannot be run at all is an error; with one image, so is what spoils it."""
    with pytest.raises(DuGIError, match=message):
        inferencer(**(dict(inputs=scene()) | call))


@pytest.mark.gpu
def test_gpu_equals_cpu(make_spot_model):
    """The first GPU is the default and gives the CPU's result."""
    model = make_spot_model(scale=2.0)
    image = np.random.randint(0, 256, (90, 70), np.uint8)
    inferencer = SmallTargetInferencer(*model, tile=64, overlap=32)
    assert next(inferencer.model.parameters()).is_cuda
    (cpu,) = SmallTargetInferencer(*model, device='cpu')(image)
    (gpu,) = inferencer(image)
    assert np.allclose(gpu.probability, cpu.probability, atol=1e-3)
