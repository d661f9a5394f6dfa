import numpy as np
import pytest
import torch

from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.boxes import AROUND, OUTSIDE, within_boxes
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

SIDE = 160
BOX = (40, 80, 80, 40)  # x, y, width, height


def row(*points):
    """Points and labels of one row: (x, y, label) each."""
    return torch.tensor([[p[:2] for p in points]], dtype=torch.float32), torch.tensor([[p[2] for p in points]])


def test_a_mask_ends_a_tenth_beyond_its_box():
    x, y, w, h = BOX
    inputs = row((x, y, 2), (x + w, y + h, 3), (60, 100, 1))
    mask = within_boxes(torch.full((1, 3, 40, 40), 5.0), *inputs, SIDE)
    expected = torch.zeros(40, 40, dtype=torch.bool)
    # A pixel of the mask is 4 of the image: x from 32 to 128, y from 76 to 124.
    expected[19:31, 8:32] = True
    assert torch.equal(mask > 0, expected.expand(1, 3, 40, 40))
    assert (mask[~expected.expand(1, 3, 40, 40)] == OUTSIDE).all()
    assert AROUND == 0.1


@pytest.mark.parametrize("start", [(40, 80), (42, 83), (43.9, 83.9)])
def test_a_box_smaller_than_a_pixel_of_the_mask_leaves_that(start):
    x, y = start
    mask = within_boxes(torch.full((1, 1, 40, 40), 5.0), *row((x, y, 2), (x + 0.5, y + 0.5, 3)), SIDE)
    assert mask[0, 0, int(y) // 4, int(x) // 4] == 5
    assert (mask > 0).sum() <= 4


def test_what_is_surely_outside_stays_so():
    mask = within_boxes(torch.full((1, 1, 40, 40), -9.0), *row((40, 80, 2), (120, 120, 3)), SIDE)
    assert (mask == -9).all()


def test_only_rows_with_a_box_are_cut():
    logits = torch.full((2, 1, 40, 40), 5.0)
    coords = torch.tensor([[[60.0, 100], [0, 0]], [[40, 80], [120, 120]]])
    labels = torch.tensor([[1, -1], [2, 3]])
    cut = within_boxes(logits, coords, labels, SIDE)
    assert torch.equal(cut[0], logits[0])
    assert (cut[1] < 0).any()


def streaming(seed, **settings):
    model = loading.build(loading.find_config("mini"), settings)
    torch.manual_seed(seed)
    loading.make_visible(model)
    with torch.no_grad():  # of random weights: a mask over the whole frame
        for hyper in model.sam_mask_decoder.output_hypernetworks_mlps:
            hyper.layers[-1].weight.zero_()
            hyper.layers[-1].bias.zero_()
    return StreamingSam2(model)


@pytest.mark.parametrize(("setting", "ends"), [(True, True), (False, False)])
def test_a_configuration_says_whether_masks_end_at_boxes(setting, ends):
    sam = streaming(0, masks_end_at_boxes=setting)
    frame = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    features = sam.encode(frame)
    decoded = sam.decode_prompt(features, Prompt.from_box((20, 15, 40, 30)))
    masks, _ = sam.segment(features, *box_points(), (60, 80))
    for logits in (decoded.low_res, decoded.high_res, masks):
        corner, middle = logits[..., 0, 0], logits[..., logits.shape[-2] // 2, logits.shape[-1] // 2]
        assert bool((corner == OUTSIDE).all()) == ends
        assert (middle == 0).all()


def box_points():
    return torch.tensor([[[20.0, 15], [60, 45]]]), torch.tensor([[2, 3]], dtype=torch.int32)


def test_released_models_are_as_upstream():
    assert not loading.build(loading.find_config("tiny")).masks_end_at_boxes
