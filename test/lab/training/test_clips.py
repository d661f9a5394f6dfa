"""Batches of clips."""

from __future__ import annotations

import itertools

import pytest
import torch

from fastsam2_ros.lab.training.clips import ClipShape, clip_batch, clip_stream

SHAPE = ClipShape(side=96, frames=3, clips=2, targets=2)
STILL = ClipShape(side=96, frames=1, clips=2, targets=2)


@pytest.fixture(scope="module")
def batch():
    return clip_batch(0, 0, SHAPE)


def test_shapes(batch):
    rows = len(batch.clip_of_row)
    assert batch.frames.shape == (2, 3, 96, 96, 3)
    assert batch.frames.dtype == torch.uint8
    assert batch.masks.shape == (rows, 3, 96, 96)
    assert 2 <= rows <= 4


def test_every_target_is_there_to_be_prompted(batch):
    assert batch.masks[:, 0].flatten(1).any(1).all()


def test_every_clip_has_a_target(batch):
    assert set(batch.clip_of_row.tolist()) == {0, 1}


def test_a_batch_is_a_function_of_seed_and_number(batch):
    again, other, elsewhere = clip_batch(0, 0, SHAPE), clip_batch(0, 1, SHAPE), clip_batch(1, 0, SHAPE)
    assert torch.equal(batch.frames, again.frames)
    assert torch.equal(batch.masks, again.masks)
    assert not torch.equal(batch.frames, other.frames)
    assert not torch.equal(batch.frames, elsewhere.frames)


def test_a_worker_makes_the_same_batches():
    with_worker = itertools.islice(clip_stream(0, 3, (SHAPE, STILL), 1), 2)
    alone = itertools.islice(clip_stream(0, 3, (SHAPE, STILL), 0), 2)
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(with_worker, alone, strict=True))


def test_shapes_come_in_turn():
    batches = itertools.islice(clip_stream(0, 1, (SHAPE, STILL), 0), 3)
    assert [each.frames.shape[1] for each in batches] == [1, 3, 1]


def test_in_trials_more_targets_are_lost_from_sight_and_come_back():
    def share(trials: bool) -> float:
        shape = ClipShape(side=96, frames=8, clips=2, targets=2, trials=trials)
        shown = torch.cat([clip_batch(0, number, shape).masks.flatten(2).any(2) for number in range(15)])
        return float((~shown.all(1) & shown[:, -1]).float().mean())

    assert share(True) > share(False) + 0.1


def test_zoomed_clips_show_things_larger():
    shares = []
    for zoom in (1.0, 3.0):
        shape = ClipShape(side=96, frames=1, clips=8, targets=1, zoom=zoom)
        batches = [clip_batch(0, number, shape) for number in range(4)]
        shares.append(torch.cat([batch.masks for batch in batches]).float().mean().item())
    assert shares[1] > 1.3 * shares[0]
