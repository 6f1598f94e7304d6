"""Tests of test-time augmentation for one-logit heads."""

from pathlib import Path

import pytest
import torch

pytest.importorskip('mmseg')

import cv2
import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import dugi_mae.mmseg  # noqa: F401

CONFIGS = Path(__file__).parents[3] / 'configs'


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
    """Each image has its views' mean probability and the decision that follows."""
    views = [view([[0.9, 0.2, 0.4]]), view([[0.5, 0.1, 0.7]])]
    merged, equal = model.merge_preds([views, [view([[0.1, 0.6, 0.3]])] * 3])
    assert merged.seg_logits.data[0, 0].tolist() == pytest.approx([0.7, 0.15, 0.55])
    assert merged.pred_sem_seg.data[0, 0].tolist() == [1, 0, 1]
    assert merged.pred_sem_seg.data.dtype == torch.int64
    assert merged.gt_sem_seg.data.shape == (1, 1, 3)
    assert merged.img_path == 'a.png'
    # Views that agree give back their own probabilities, below one half too.
    assert equal.seg_logits.data[0, 0].tolist() == pytest.approx([0.1, 0.6, 0.3])
    assert equal.pred_sem_seg.data[0, 0].tolist() == [0, 1, 0]


def test_each_view_is_undone(tmp_path, model):
    """Views are flipped and resized back, so that they can be averaged."""
    image = np.random.RandomState(0).randint(0, 256, (20, 30), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    cv2.imwrite(str(tmp_path / 'a_mask.png'), np.zeros((20, 30), np.uint8))
    config = Config.fromfile(CONFIGS / 'small_target/irstd_dugi-mae-tiny_sirst.py')
    data = Compose(config.tta_pipeline)(
        dict(
            img_path=str(tmp_path / 'a.png'),
            seg_map_path=str(tmp_path / 'a_mask.png'),
            reduce_zero_label=False,
            seg_fields=[],
        )
    )
    views = zip(data['inputs'], data['data_samples'], strict=True)
    maps = [
        model.module.postprocess_result(pixels[None, :1].float(), [sample])[0]
        for pixels, sample in views
    ]
    # Three flips at each of the scales 1, 1.25 and 1.5.
    assert len(maps) == 9
    assert len({pixels.numpy().tobytes() for pixels in data['inputs']}) == 9
    plain, *larger = (
        [m.seg_logits.data[0] for m in maps[i : i + 3]] for i in (0, 3, 6)
    )
    # One logit becomes a probability, which tells grey values apart up to 16.
    probability = torch.from_numpy(image).float().sigmoid()
    for result in plain:
        torch.testing.assert_close(result, probability)
    for enlarged in larger:
        assert enlarged[0].shape == probability.shape
        for result in enlarged:
            torch.testing.assert_close(result, enlarged[0])
