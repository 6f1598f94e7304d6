"""Tests of test-time augmentation for one-logit heads."""

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import dugi_mae.mmseg  # noqa: F401


def view(probability):
    """What a segmentor with one logit gives for a view, flipped back."""
    sample = SegDataSample(metainfo=dict(img_path='a.png'))
    sample.seg_logits = PixelData(data=torch.tensor(probability)[None])
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 1, 3, dtype=torch.long))
    return sample


@pytest.fixture
def model(make_spot_model):
    """The TTA model around a segmentor with one logit."""
    init_default_scope('mmseg')
    config, _ = make_spot_model()
    segmentor = Config.fromfile(config).model
    return MODELS.build(dict(type='SmallTargetTTAModel', module=segmentor))


def test_probabilities_are_averaged(model):
    """The result holds the views' mean probability and the decision that follows."""
    views = [view([[0.9, 0.2, 0.4]]), view([[0.5, 0.1, 0.7]])]
    (merged,) = model.merge_preds([views])
    assert merged.seg_logits.data[0, 0].tolist() == pytest.approx([0.7, 0.15, 0.55])
    assert merged.pred_sem_seg.data[0, 0].tolist() == [1, 0, 1]
    assert merged.pred_sem_seg.data.dtype == torch.int64
    assert merged.gt_sem_seg.data.shape == (1, 1, 3)
    assert merged.img_path == 'a.png'


def test_equal_views_change_nothing(model):
    """Views that agree give back their own probabilities, below one half too."""
    (merged,) = model.merge_preds([[view([[0.1, 0.6, 0.3]])] * 3])
    assert merged.seg_logits.data[0, 0].tolist() == pytest.approx([0.1, 0.6, 0.3])
    assert merged.pred_sem_seg.data.sum() == 1


def test_images_stay_apart(model):
    """Each image is merged from its own views."""
    first, second = model.merge_preds([[view([[0.9] * 3])], [view([[0.1] * 3])]])
    assert first.pred_sem_seg.data.all()
    assert not second.pred_sem_seg.data.any()
