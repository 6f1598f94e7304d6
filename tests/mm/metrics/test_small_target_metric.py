"""The metric of mmengine says what the function says, in the units of the field."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.registry import METRICS
from torch import Tensor

from dugi_mae.errors import DuGIError
from dugi_mae.evaluation import small_target_scores
from dugi_mae.evaluation.roc_curve import SCORE_BINS
from dugi_mae.evaluation.small_target import in_field_units
from dugi_mae.mm.metrics import SmallTargetMetric


def make_sample(
    logits: Tensor, label: Tensor, threshold: float = 0.5, two_classes: bool = False
) -> dict:
    """What a metric gets of mmseg for one image.

    Args:
        logits: ``(H, W)`` of the target.
        label: ``(H, W)`` in {0, 1, 255}.
        threshold: That of the head.
        two_classes: Whether the head has a logit a class instead of one sigmoid.
    """
    probability = logits.sigmoid()
    seg_logits = probability[None]
    if two_classes:
        # Only the difference of the two logits counts.
        seg_logits = torch.stack([torch.full_like(logits, 3.0), 3.0 + logits])
    return dict(
        img_path='Misc_7.png',
        seg_logits=dict(data=seg_logits),
        pred_sem_seg=dict(data=(probability > threshold).float()[None]),
        gt_sem_seg=dict(data=label[None]),
    )


def random_pair(height: int = 20, width: int = 27) -> tuple[Tensor, Tensor]:
    """Logits and label of an image with a few targets, some of them found."""
    label = torch.zeros(height, width, dtype=torch.long)
    logits = torch.randn(height, width) - 3
    for _ in range(3):
        y, x = torch.randint(0, height - 3, ()), torch.randint(0, width - 3, ())
        label[y : y + 3, x : x + 2] = 1
        logits[y : y + 3, x : x + 3] += 6 * torch.rand(())
    return logits, label


def expected_scores(pairs, **options) -> dict[str, float]:
    """The function's scores under the names and in the units of the metric."""
    scores = small_target_scores(
        [(logits > 0).numpy() for logits, _ in pairs],
        [(label == 1).numpy() for _, label in pairs],
        [logits.sigmoid().numpy() for logits, _ in pairs],
        **options,
    )
    return {f'small_target/{k}': v for k, v in in_field_units(scores).items()}


@pytest.mark.parametrize('two_classes', [False, True])
@pytest.mark.parametrize(
    'options',
    [{}, dict(distance=5.0, empty='one', fa_match='area'), dict(empty='zero')],
)
def test_equals_the_function(options, two_classes):
    """One and two channels, images of several sizes, in batches of several sizes."""
    pairs = [random_pair(), random_pair(31, 16), random_pair(), random_pair(9, 40)]
    pairs.append((torch.full((12, 12), -9.0), torch.zeros(12, 12, dtype=torch.long)))
    samples = [make_sample(*pair, two_classes=two_classes) for pair in pairs]
    metric = SmallTargetMetric(**options)
    for batch in (samples[:3], samples[3:]):
        metric.process({}, batch)
    expected = expected_scores(pairs, **options)
    # A softmax rounds otherwise than a sigmoid: a pixel may change its bin.
    auc = pytest.approx(expected.pop('small_target/AUC'), abs=0.01)
    result = metric.evaluate(5)
    assert result.pop('small_target/AUC') == auc
    assert result == pytest.approx(expected)


def test_samples_of_mmseg():
    """It takes what mmseg's data elements become on their way through the evaluator."""
    mmseg = pytest.importorskip('mmseg.structures')
    from mmengine.evaluator import Evaluator
    from mmengine.structures import PixelData

    pair = random_pair()
    plain = make_sample(*pair)
    sample = mmseg.SegDataSample(metainfo=dict(img_path='Misc_7.png'))
    for key in ('seg_logits', 'pred_sem_seg', 'gt_sem_seg'):
        setattr(sample, key, PixelData(data=plain[key]['data']))
    evaluator = Evaluator(dict(type='SmallTargetMetric'))
    evaluator.process([sample])
    assert evaluator.evaluate(1) == pytest.approx(expected_scores([pair]))


def test_epochs_and_repeated_images():
    """Each epoch starts empty; images that only fill the last batch are dropped.

    One result per image: mmengine drops those beyond the size of the set.
    """
    metric, pair, other = SmallTargetMetric(), random_pair(), random_pair(30, 50)
    for images in ([pair], [other, pair], [pair]):
        metric.process({}, [make_sample(*image) for image in [*images, images[0]]])
        assert metric.evaluate(len(images)) == expected_scores(images)


def test_results_travel_between_processes():
    """A result can be pickled, and its size does not depend on the image's."""
    metric, pairs = SmallTargetMetric(), [random_pair(), random_pair(100, 200)]
    metric.process({}, [make_sample(*pair) for pair in pairs])
    sizes = [len(pickle.dumps(result)) for result in metric.results]
    assert max(sizes) - min(sizes) < 32 and max(sizes) < 10 * SCORE_BINS
    metric.results = pickle.loads(pickle.dumps(metric.results))
    assert metric.evaluate(2) == expected_scores(pairs)


def test_ignored_pixels():
    """Pixels labelled 255 are neither target nor background nor image."""
    logits, label = torch.full((10, 10), -9.0), torch.zeros(10, 10, dtype=torch.long)
    label[2:4, 2:4], logits[2:4, 2:4] = 1, 9.0
    label[6:], logits[7:9, 7:9] = 255, 9.0
    metric = SmallTargetMetric()
    metric.process({}, [make_sample(logits, label)])
    result = metric.evaluate(1)
    assert result.pop('small_target/Fa') == 0
    assert set(result.values()) == {100}
    metric = SmallTargetMetric(ignore_index=7)
    metric.process({}, [make_sample(logits, label)])
    assert metric.evaluate(1)['small_target/Fa'] == pytest.approx(1e6 * 4 / 100)


def test_threshold_of_the_head():
    """With the head's threshold the metric scores the head's decisions."""
    logits, label = random_pair()
    metric = SmallTargetMetric(threshold=0.3)
    metric.process({}, [make_sample(logits, label, threshold=0.3)])
    expected = small_target_scores([(logits.sigmoid() > 0.3).numpy()], [label.numpy()])
    assert metric.evaluate(1)['small_target/IoU'] == 100 * expected['IoU']


def test_eval_size():
    """Everything is scored on the square: a distance of 4 pixels is 2 at half size."""
    logits, label = torch.full((64, 64), -9.0), torch.zeros(64, 64, dtype=torch.long)
    label[20:24, 20:24], logits[20:24, 24:28] = 1, 9.0
    found = {}
    for size in (None, 32, 128):
        metric = SmallTargetMetric(eval_size=size)
        metric.process({}, [make_sample(logits, label)])
        found[size] = metric.evaluate(1)['small_target/Pd']
    assert found == {None: 0, 32: 100, 128: 0}


def test_eval_size_keeps_labels():
    """Labels are resized to labels, ignored ones too, and any shape to the square."""
    logits, label = torch.full((60, 90), -9.0), torch.zeros(60, 90, dtype=torch.long)
    label[30:40, 30:45], logits[30:40, 30:45] = 1, 9.0
    label[50:] = 255
    metric = SmallTargetMetric(eval_size=30)
    metric.process({}, [make_sample(logits, label)])
    [counts] = metric.results
    assert (counts.labelled, counts.intersection, counts.pixels) == (25, 25, 25 * 30)


def test_table_and_curve(tmp_path, monkeypatch):
    """The log gets a table; the file the curve of the last evaluation."""
    path, lines = tmp_path / 'curves' / 'roc.json', []
    monkeypatch.setattr(
        'dugi_mae.mm.metrics.small_target_metric.print_log',
        lambda text, logger: lines.append(text),
    )
    metric = SmallTargetMetric(roc_file=str(path))
    for _ in range(2):
        metric.process({}, [make_sample(*random_pair())])
        result = metric.evaluate(1)
    assert '| IoU (%) | nIoU (%) | Pd (%) | Fa (1e-6) |' in lines[-1]
    assert f'| {result["small_target/IoU"]:.2f} |' in lines[-1]
    curve = json.loads(path.read_text())
    tpr, fpr = np.array(curve['tpr']), np.array(curve['fpr'])
    area = ((tpr[1:] + tpr[:-1]) / 2 * np.diff(fpr)).sum()
    assert 100 * area == pytest.approx(result['small_target/AUC'])
    assert len(curve['thresholds']) == SCORE_BINS + 1


def test_registered_in_the_root():
    """Any host finds the metric without a prefix, and the prefix can be changed."""
    metric = METRICS.build(dict(type='SmallTargetMetric', prefix='test'))
    metric.process({}, [make_sample(*random_pair())])
    assert list(metric.evaluate(1)) == [
        f'test/{key}'
        for key in ('IoU', 'nIoU', 'Pd', 'Fa', 'F1', 'Precision', 'Recall', 'AUC')
    ]


def changed(key: str, data: Tensor | None) -> dict:
    """A sample with another tensor, or without it."""
    sample = make_sample(*random_pair())
    if data is None:
        del sample[key]
    else:
        sample[key] = dict(data=data)
    return sample


@pytest.mark.parametrize(
    ('key', 'data', 'message'),
    [
        ('seg_logits', None, 'Misc_7.png.*seg_logits.*segmentor'),
        ('gt_sem_seg', None, 'Misc_7.png.*gt_sem_seg.*LoadTargetMask'),
        ('gt_sem_seg', torch.zeros(1, 40, 54), 'Misc_7.png.*27x20.*54x40.*Resize'),
        ('seg_logits', torch.zeros(3, 20, 27), 'Misc_7.png.*3 channels'),
        ('seg_logits', torch.full((1, 20, 27), 0.9), 'Misc_7.png.*pred_sem_seg'),
    ],
)
def test_bad_samples(key, data, message):
    """One line that names the image and what to do."""
    with pytest.raises(DuGIError, match=message) as caught:
        SmallTargetMetric().process({}, [changed(key, data)])
    assert '\n' not in str(caught.value)


def test_raw_logits_are_no_probabilities():
    """One channel that is not a probability is refused, not clipped."""
    logits, label = random_pair()
    sample = make_sample(logits, label)
    sample['seg_logits'] = dict(data=logits[None] * 9)
    del sample['pred_sem_seg']
    with pytest.raises(DuGIError, match=r'score .*0\.\.1'):
        SmallTargetMetric().process({}, [sample])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(fa_match='value'), "fa_match='value'"),
        (dict(empty='none'), "empty='none'.*'one'"),
        (dict(eval_size=0), 'eval_size=0'),
        (dict(threshold=50), 'threshold=50.*between 0 and 1'),
        (dict(threshold=0), 'threshold=0'),
        (dict(distance=-1), 'distance=-1'),
        (dict(distance=0), 'distance=0.*more than 0'),
    ],
)
def test_bad_options(options, message):
    """A wrong option fails when the metric is built, not after the first epoch."""
    with pytest.raises(DuGIError, match=message):
        SmallTargetMetric(**options)
