"""Settings that change while tracking, and the warm-up before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig, from_mapping
from fastsam2_ros.errors import InputError
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning import budget
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.tracker import TextTracker

from .planted import BOX, STEP


@pytest.fixture
def tracker(sam):
    search = TextSearch(LanguageConfig(name=NONE), torch.device("cpu"))
    config = TrackerConfig(model=ModelConfig(name="mini"), language=LanguageConfig(name=NONE))
    return TextTracker(LoadedSam2(sam, untrained=True), search, config)


def steps(tracker, video, first, last):
    return [tracker.step(video[index], index * STEP) for index in range(first, last)]


@pytest.mark.parametrize("policy", [{"memory_ratio": 0.2}, {"context_weight": 1.0}, {"text_weight": 0.3}])
def test_a_keep_ratio_and_policies_hold_from_the_next_frame_on(tracker, video, policy):
    tracker.set_box(BOX)
    steps(tracker, video, 0, 3)
    tracker.reconfigure(replace(tracker.config, pruning=PruningConfig(keep_ratio=0.5, **policy)))
    assert [result.keep_ratio for result in steps(tracker, video, 3, 6)] == [0.5] * 3


def test_targets_go_on_under_their_ids(tracker, video):
    tracker.set_box(BOX)
    before = steps(tracker, video, 0, 3)[-1]
    tracker.reconfigure(replace(tracker.config, lost_seconds=5.0))
    after = steps(tracker, video, 3, 4)[-1]
    assert [each.id for each in after.objects] == [each.id for each in before.objects]


def test_a_budgets_bounds_change_for_targets_that_are_tracked(tracker, video, monkeypatch):
    monkeypatch.setattr(budget, "ROOM", 0.0)  # the masks of random weights may be large, and raise it too
    tracker.set_box(BOX)
    steps(tracker, video, 0, 3)
    tracker.reconfigure(
        from_mapping({"pruning.min_keep_ratio": 0.9, "pruning.max_keep_ratio": 0.9, "language.name": NONE})
    )
    assert steps(tracker, video, 3, 5)[-1].keep_ratio == pytest.approx(0.9)


@pytest.mark.parametrize(
    "values",
    [{"model.name": "tiny"}, {"model.device": "cuda"}, {"language.image_size": 64}],
)
def test_what_belongs_to_the_loaded_models_is_refused_by_name(tracker, values):
    before = tracker.config
    with pytest.raises(InputError, match=next(iter(values))):
        tracker.reconfigure(from_mapping({"language.name": NONE, **values}))
    assert tracker.config == before


class Asked(TextSearch):
    """Notes the settings of each search."""

    def __init__(self):
        super().__init__(LanguageConfig(name=NONE), torch.device("cpu"))
        self.config = LanguageConfig()
        self.margins: list[float] = []

    def require(self):
        pass

    def search(self, frame, features, wanted, segmenter, config, dense=None, others=()):
        self.margins.append(config.min_margin)
        return [None] * len(wanted)


def test_margins_of_the_search_change_for_this_tracker_alone(sam, video):
    search = Asked()
    config = TrackerConfig(model=ModelConfig(name="mini"), search_interval=0.0)
    one, other = (TextTracker(LoadedSam2(sam, untrained=True), search, config) for _ in range(2))
    for each in (one, other):
        each.set_target("mug")
    one.reconfigure(replace(config, language=LanguageConfig(min_margin=0.5)))
    for each in (one, other):
        steps(each, video, 0, 1)
    assert search.margins == [0.5, LanguageConfig().suited("mini").min_margin]


def test_more_targets_are_taken_after_the_limit_was_raised(tracker):
    tracker.reconfigure(replace(tracker.config, max_targets=1))
    tracker.set_box(BOX)
    with pytest.raises(InputError, match="max_targets"):
        tracker.set_box(BOX)
    tracker.reconfigure(replace(tracker.config, max_targets=2))
    tracker.set_box(BOX)


@pytest.mark.parametrize("max_targets", [1, 8])
def test_a_warm_up_leaves_no_trace(tracker, video, max_targets):
    tracker.reconfigure(replace(tracker.config, max_targets=max_targets))
    tracker.set_box(BOX)
    before = steps(tracker, video, 0, 2)
    tracker.warm_up()
    after = steps(tracker, video, 2, 4)
    assert [result.frame_index for result in (*before, *after)] == [0, 1, 2, 3]
    assert [each.id for each in after[-1].objects] == [1]


def test_all_tokens_can_be_asked_for_and_taken_back(tracker, video):
    tracker.set_box(BOX)
    steps(tracker, video, 0, 2)
    tracker.reconfigure(replace(tracker.config, pruning=PruningConfig(keep_ratio=1.0)))
    assert [result.attention[0].queries for result in steps(tracker, video, 2, 4)] == [256, 256]
    tracker.reconfigure(replace(tracker.config, pruning=PruningConfig(keep_ratio=0.25)))
    assert [result.attention[0].queries for result in steps(tracker, video, 4, 6)] == [256, 64]
