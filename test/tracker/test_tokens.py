"""Which tokens a tracker keeps, and what that changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsam2_ros.config import PruningConfig
from fastsam2_ros.language.search import TextRelevance
from fastsam2_ros.streaming.prompts import Prompt

from .planted import BOX, STEP, steps


def test_a_fixed_keep_ratio_is_kept(make, video):
    tracker = make("mug", pruning=PruningConfig(keep_ratio=0.3))
    tracker.set_target("mug")
    results = steps(tracker, video, 4)
    assert {result.keep_ratio for result in results} == {0.3}
    assert results[0].tokens_kept == round(0.3 * 256)
    assert results[0].tokens_total == 256


def test_tokens_are_told_only_when_asked_for(make, video):
    tracker = make("mug", pruning=PruningConfig(keep_ratio=0.3))
    tracker.set_target("mug")
    assert [result.tokens for result in steps(tracker, video, 3)] == [None] * 3
    view = tracker.step(video[3], 3 * STEP, view_tokens=True).tokens
    (target,) = view.targets
    assert (target.id, target.kept.shape, target.kept.sum()) == (1, (16, 16), round(0.3 * 256))
    assert set(np.unique(target.cue)) <= set(range(-1, len(view.cues)))


def test_asking_for_the_tokens_does_not_change_the_masks(make, video):
    runs = []
    for view in (False, True):
        tracker = make("mug", pruning=PruningConfig(keep_ratio=0.3))
        tracker.set_target("mug")
        runs.append([tracker.step(video[n], n * STEP, view_tokens=view).labels() for n in range(5)])
    assert all(np.array_equal(first, second) for first, second in zip(*runs, strict=True))


def test_a_cue_without_weight_earns_no_token(make, video):
    only_mask = PruningConfig(keep_ratio=0.3, appearance_weight=0)
    tracker = make("mug", pruning=only_mask)
    tracker.set_target("mug")
    view = [tracker.step(video[n], n * STEP, view_tokens=True).tokens for n in range(3)][-1]
    assert view.cues == ("mask",)
    assert set(np.unique(view.targets[0].cue)) - {-1} == {0}


def test_before_a_target_is_tracked_no_tokens_are_kept_for_it(make, video):
    tracker = make("mug")
    tracker.set_target("mug")
    assert tracker.step(video[0], 0, view_tokens=True).tokens.targets == ()


def test_unpruned_targets_keep_all_tokens(make, video):
    tracker = make("mug", pruning=PruningConfig(keep_ratio=1.0))
    tracker.set_target("mug")
    view = [tracker.step(video[n], n * STEP, view_tokens=True).tokens for n in range(3)][-1]
    assert view.targets[0].kept.all()


def test_keep_ratio_one_gives_upstreams_masks(make, sam, video):
    """Through the tracker, not only module by module: the same logits as the plain streaming loop."""
    tracker = make(pruning=PruningConfig(keep_ratio=1.0))
    tracker.set_box(BOX)
    memory = sam.new_memory()
    for index in range(18):
        frame = video[index % len(video)]
        tracker.step(frame, index * STEP)
        features = sam.encode(frame)
        if index == 0:
            decoded = sam.decode_prompt(features, Prompt.from_box(BOX))
            sam.remember_prompt(features, decoded, memory, 0)
        else:
            decoded = sam.decode(features, sam.condition(features, [memory], index, [None]))
            sam.remember(features, decoded, [memory], index)
        assert torch.equal(tracker.targets[0].pruning.mask, decoded.low_res[0])


@pytest.mark.parametrize(("keep_ratio", "weight", "wanted"), [(0.5, 0.3, 1), (1.0, 0.3, 0), (0.5, 0.0, 0)])
def test_the_text_of_a_target_that_a_box_started_is_learnt_if_tokens_are_chosen_by_it(
    make, video, search, keep_ratio, weight, wanted, monkeypatch
):
    class Unready(TextRelevance):
        ready = False

    keyframes = []
    monkeypatch.setattr(search, "new_relevance", lambda: Unready(None))
    monkeypatch.setattr(search, "dense", keyframes.append)
    tracker = make(pruning=PruningConfig(keep_ratio=keep_ratio, text_weight=weight))
    tracker.set_box(BOX)
    steps(tracker, video, 1)
    assert len(keyframes) == wanted
