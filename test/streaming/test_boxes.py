import pytest
import torch

from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.boxes import LOGIT, BoxPromptEncoder, box_logits, see_boxes

SIDE, SIZE = 64, (16, 16)


def row(*points):
    """Points and labels of one row: (x, y, label) each."""
    return torch.tensor([[(x, y) for x, y, _ in points]], dtype=torch.float32), torch.tensor([[p[2] for p in points]])


def test_a_box_is_filled_and_all_else_is_not():
    logits = box_logits(*row((8, 16, 2), (40, 48, 3)), SIDE, SIZE)
    assert logits.shape == (1, 1, 16, 16)
    filled = torch.zeros(16, 16, dtype=torch.bool)
    filled[4:12, 2:10] = True
    assert torch.equal(logits[0, 0] > 0, filled)
    assert logits[0, 0, 8, 6] == LOGIT
    assert logits[0, 0, 0, 0] == -LOGIT


def test_an_edge_within_a_pixel_is_told():
    nearer, farther = (box_logits(*row((8, 16, 2), (x, 48, 3)), SIDE, SIZE) for x in (40, 41))
    assert nearer[0, 0, 8, 10] < farther[0, 0, 8, 10]


@pytest.fixture(scope="module")
def encoders():
    plain, boxed = (loading.build(loading.find_config("mini"), {"boxes_as_masks": on}) for on in (False, True))
    boxed.load_state_dict(plain.state_dict())
    return plain.sam_prompt_encoder, boxed.sam_prompt_encoder


@torch.inference_mode()
def dense_of(encoder, inputs, masks=None):
    return encoder(points=inputs, boxes=None, masks=masks)[1]


def test_a_row_without_a_box_is_as_upstream_and_one_with_a_box_as_its_mask(encoders):
    plain, boxed = encoders
    coords = torch.tensor([[[100.0, 100], [300, 200], [0, 0]], [[50, 60], [0, 0], [0, 0]]])
    labels = torch.tensor([[2, 3, -1], [1, -1, -1]])
    found = dense_of(boxed, (coords, labels))
    mask = box_logits(coords, labels, 512, boxed.mask_input_size)
    assert torch.equal(found[0], dense_of(plain, (coords, labels), mask)[0])
    assert torch.equal(found[1], dense_of(plain, (coords, labels))[1])


def test_a_mask_that_is_given_counts_before_the_box(encoders):
    plain, boxed = encoders
    inputs = row((100, 100, 2), (300, 200, 3))
    mask = torch.randn(1, 1, *boxed.mask_input_size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(dense_of(boxed, inputs, mask), dense_of(plain, inputs, mask))


def test_only_a_configuration_that_says_so_sees_boxes_as_masks():
    assert isinstance(loading.build(loading.find_config("mini")).sam_prompt_encoder, BoxPromptEncoder)
    assert not isinstance(loading.build(loading.find_config("tiny")).sam_prompt_encoder, BoxPromptEncoder)


def test_weights_stay_as_they_are():
    model = loading.build(loading.find_config("mini"), {"boxes_as_masks": False})
    before = set(model.state_dict())
    see_boxes(model)
    assert set(model.state_dict()) == before
