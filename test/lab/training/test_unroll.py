"""SAM 2 over clips, with gradients."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from fastsam2_ros.lab.training.clips import ClipBatch
from fastsam2_ros.lab.training.sam2 import LOUD_WEIGHT, LOUDNESS, Sam2Task
from fastsam2_ros.lab.training.unroll import PROMPT_KINDS, Plan, full_precision, set_side, unroll
from fastsam2_ros.streaming import loading

SIDE, FRAMES = 64, 3


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = loading.build(loading.find_config("mini")).train()
    set_side(model, SIDE)
    return model


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def moving_square(vanishes: bool = False) -> ClipBatch:
    """One clip of a light square that moves over noise, followed as two targets: it, and the dark half of it."""
    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(0, 90, (1, FRAMES, SIDE, SIDE, 3), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(2, FRAMES, SIDE, SIDE, dtype=torch.bool)
    for t in range(FRAMES):
        if vanishes and t == FRAMES - 1:
            continue
        at = 10 + 6 * t
        frames[0, t, at : at + 24, at : at + 24] = 230
        frames[0, t, at : at + 24, at : at + 12] = 140
        masks[0, t, at : at + 24, at : at + 24] = True
        masks[1, t, at : at + 24, at : at + 12] = True
    return ClipBatch(frames, masks, torch.zeros(2, dtype=torch.int64))


def plan(kind: str = "mask", told: float = 1.0, corrections: int = 0, second: int = 0) -> Plan:
    return Plan(kind, corrections, second, tuple(range(FRAMES)), told)


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_every_prompt_trains_trunk_memory_and_heads(model, generator, kind):
    unroll(model, moving_square(), plan(kind, corrections=int(kind != "mask")), generator).losses.total().backward()
    still = {
        name.split(".")[0]
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }
    assert {"image_encoder", "memory_attention", "memory_encoder", "sam_mask_decoder", "obj_ptr_proj"} <= still


def test_masks_learn_even_where_sam2_believes_the_target_absent(model, generator):
    head = model.sam_mask_decoder.pred_obj_score_head.layers[-1]
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, -5.0)
    losses = unroll(model, moving_square(), plan("box", told=0.0), generator).losses
    losses.focal.backward()
    assert model.sam_mask_decoder.output_upscaling[0].weight.grad.abs().sum() > 0


def test_a_mask_that_was_given_has_no_loss(model, generator):
    every = unroll(model, moving_square(), plan("box"), generator).losses.rows
    later = unroll(model, moving_square(), plan("mask"), generator).losses.rows
    twice = unroll(model, moving_square(), plan("mask", second=1), generator).losses.rows
    assert (every, later, twice) == (6, 4, 2)


def test_a_vanished_target_counts_for_the_score_alone(model, generator):
    losses = unroll(model, moving_square(vanishes=True), plan("mask"), generator).losses
    assert (losses.rows, losses.visible.item()) == (4, 2)


def test_told_who_is_visible_sam2_does_not_blank_the_mask(model, generator):
    head = model.sam_mask_decoder.pred_obj_score_head.layers[-1]
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, -5.0)
    blank = unroll(model, moving_square(), plan(told=0.0), generator).iou[:, 1:]
    told = unroll(model, moving_square(vanishes=True), plan(told=1.0), generator).iou[:, -1]
    assert blank.max() == 0
    assert told.tolist() == [1, 1]


def test_the_loss_of_one_clip_falls(model, generator):
    batch = moving_square()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    course = []
    for _ in range(25):
        unrolled = unroll(model, batch, plan(), generator)
        loss = unrolled.losses.total()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(float(loss.detach()))
    assert min(course[-5:]) < 0.6 * course[0]


def test_loud_features_cost(model, generator):
    """From `LOUDNESS` on by what is above it; quiet ones cost nothing."""
    costs, made = {}, Sam2Task(torch.device("cpu"))
    for factor in (0.1, 1.0, 4.0):
        task = deepcopy(made)
        final = task.model.image_encoder.neck.convs[1].conv  # of the level that prompts and memory meet
        with torch.no_grad():
            for tensor in final.parameters():
                tensor.mul_(factor)
        loss, terms = task.loss(moving_square(), 0, 0.0)
        costs[terms["loudness"]] = float(loss.detach()) - terms["loss"]
    loudness = sorted(costs)
    assert loudness[0] < LOUDNESS < loudness[2]
    for value, cost in costs.items():
        assert cost == pytest.approx(LOUD_WEIGHT * max(0.0, value / LOUDNESS - 1), abs=1e-3)


def test_plans_of_lone_frames_never_give_the_mask():
    generator = torch.Generator().manual_seed(0)
    assert "mask" not in {Plan.draw(1, 1.0, 1.0, generator).kind for _ in range(50)}


def test_plans_are_drawn_from_the_generator_alone():
    first, second = ([Plan.draw(4, 0.5, 0.5, torch.Generator().manual_seed(s)) for s in range(9)] for _ in range(2))
    assert first == second


def test_full_precision_holds_within_autocast_and_no_longer_than_asked_for():
    layer = torch.nn.Linear(4, 4)
    given = torch.randn(2, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        with full_precision(layer):
            exact = layer(given)
        rounded = layer(given)
    assert (exact.dtype, rounded.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(exact, layer(given.float()))
    exact.sum().backward()
    assert layer.weight.grad is not None


def test_full_precision_ends_with_an_error_inside():
    layer = torch.nn.Linear(4, 4)
    with pytest.raises(RuntimeError), full_precision(layer):
        layer(torch.zeros(3))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(2, 4)).dtype == torch.bfloat16


def test_full_precision_within_itself_and_over_another_forward():
    layer, plain = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    layer.forward = plain.forward
    given = torch.randn(2, 4)
    with full_precision(layer), full_precision(layer):
        assert torch.equal(layer(given), plain(given))
    assert layer.forward == plain.forward
