"""Whatever is asked for, in whatever order, between whatever frames: the contract of results, and no other error than its own.

`pytest --hypothesis-profile hard --hypothesis-seed N` draws thousands of sequences; `make hard` does, and prints N.
"""

from __future__ import annotations

import itertools
import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastsam2_ros import targets
from fastsam2_ros.config import PruningConfig, TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions
from fastsam2_ros.results import TrackState
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.tracker import TextTracker

from .drawn_sam import TOKENS, DrawnSam, DrawnSearch

STAGES = ("encode", "condition", "decode", "remember")
PARTS = ("search", "decode_prompt", "remember_prompt")
"""A failure in the first ends a step, a failure in the second is a warning of it."""

names = st.sampled_from(
    ["mug", "Red  Mug", "red mug", "ｒｅｄ ｍｕｇ", "杯", "кружка", "\u202emug", "a\x1b[31m", "\0", " "]
)
texts = (
    st.lists(names | st.text(max_size=12), max_size=6).map(";".join)
    | st.text(max_size=30)
    | st.just("")
    | st.sampled_from(["x" * 501, ";" * 50, "a;b;c;d;e;f;g;h;i", "\ud800"])
)
sizes = st.sampled_from([(1, 1), (1, 40), (40, 1), (16, 16), (24, 32), (33, 7)])
coordinates = st.sampled_from([-1e9, -1.0, 0.0, 0.4, 5.0, 39.0, 1e9, 1e-300]) | st.floats(-50, 50) | st.floats()
stamps = st.integers(-(2**63), 2**63) | st.integers(0, 10**9)
configurations = st.builds(
    TrackerConfig,
    max_targets=st.integers(1, 5),
    lost_seconds=st.sampled_from([0.0, 0.1, 60.0]),
    search_seconds=st.sampled_from([0.0, 0.5, 600.0]),
    search_interval=st.sampled_from([0.0, 0.5]),
    uncertain_score=st.floats(0, 1),
    pruning=st.builds(
        PruningConfig,
        keep_ratio=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        memory_ratio=st.sampled_from([0.0, 0.3, 1.0]),
        target_rate=st.sampled_from([0.0, 1e-3, 1000.0]),
    ),
)


class Requests(RuleBasedStateMachine):
    """A tracker, and what its contract says must be so."""

    @initialize(seed=st.integers(0, 2**32 - 1), config=configurations, max_id=st.sampled_from([targets.MAX_ID, 7]))
    def begin(self, seed, config, max_id):
        self.few_ids = mock.patch.object(targets, "MAX_ID", max_id)
        self.few_ids.start()
        self.sam = DrawnSam(seed)
        self.tracker = TextTracker(LoadedSam2(self.sam, True), DrawnSearch(self.sam, seed), config)
        self.wanted: tuple[str, ...] = ()
        self.most = config.max_targets  # targets there may be; those over a lower limit stay
        self.waiting = 0  # boxes and masks, for the next frame
        self.steps = 0
        self.ids: dict[str, int] = {}
        self.now = 0

    @rule(text=texts)
    def describe(self, text):
        before = self.seen_targets()
        try:
            accepted = self.tracker.set_target(text)
        except InputError:
            assert self.seen_targets() == before
            return
        assert accepted == descriptions.split(text, self.tracker.config.max_targets)
        self.wanted = accepted
        if not accepted:
            assert self.tracker.targets == ()
            self.most, self.waiting = self.tracker.config.max_targets, 0
        given = [row for row in before if not row[1]]
        assert [row for row in self.seen_targets() if not row[1]] == (given if accepted else [])
        kept = {descriptions.key(row[0]): row[2] for row in before if row[1]}
        for description, by_text, number, _ in self.seen_targets():
            if by_text:
                assert number == kept.get(descriptions.key(description), 0)

    @rule(box=st.tuples(coordinates, coordinates, coordinates, coordinates))
    def box(self, box):
        before = self.seen_targets()
        usable = all(math.isfinite(value) for value in box) and box[2] > 0 and box[3] > 0
        try:
            self.tracker.set_box(box)
        except InputError:
            assert not usable or self.asked() >= self.tracker.config.max_targets
        else:
            assert usable
            self.waiting += 1
        assert self.seen_targets() == before

    @rule(size=sizes, filled=st.sampled_from([0.0, 0.3, 1.0]), text=texts)
    def mask(self, size, filled, text):
        mask = np.random.default_rng(0).random(size) < filled
        try:
            self.tracker.set_mask(mask, text)
        except InputError:
            assert not mask.any() or self.asked() >= self.tracker.config.max_targets or len(text) > 500
        else:
            self.waiting += 1
        mask[:] = False  # the caller's array is the caller's

    @rule(size=sizes, stamp=stamps, forward=st.booleans(), view=st.booleans(), repeats=st.integers(1, 3))
    def step(self, size, stamp, forward, view, repeats):
        for _ in range(repeats):
            self.now = self.now + 100_000_000 if forward else stamp
            before = len(self.tracker.targets)
            result = self.tracker.step(self.frame(size), self.now, view_tokens=view)
            assert len(self.tracker.targets) == before + self.waiting or result.warnings
            self.waiting = 0
            self.check(result, size, view)

    @rule(size=sizes, stage=st.sampled_from(STAGES + PARTS))
    def failing_step(self, size, stage):
        before = self.seen_targets(), self.asked()
        self.sam.failing = stage
        try:
            result = self.tracker.step(self.frame(size), self.now)
        except RuntimeError:
            assert stage in STAGES
            assert (self.seen_targets(), self.asked()) == before
        else:
            self.waiting = 0
            if stage in PARTS and self.sam.failing is None:
                assert any("was to fail" in warning for warning in result.warnings)
            self.check(result, size, False)
        self.sam.failing = None

    @rule(frame=st.sampled_from([np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), None]))
    def no_frame(self, frame):
        before = self.seen_targets()
        with pytest.raises(InputError):
            self.tracker.step(frame, self.now)
        assert self.seen_targets() == before

    @rule()
    def reset(self):
        self.tracker.reset()
        self.wanted, self.most, self.waiting = (), self.tracker.config.max_targets, 0
        assert self.tracker.targets == ()
        assert self.tracker.memory_bytes == 0

    @rule(config=configurations)
    def reconfigure(self, config):
        before = self.seen_targets()
        self.tracker.reconfigure(config)
        self.most = max(config.max_targets, self.asked())
        assert self.seen_targets() == before

    @rule(config=st.builds(TrackerConfig, max_targets=st.sampled_from([0, -1, 257])))
    def refused_configuration(self, config):
        kept = self.tracker.config
        with pytest.raises(InputError):
            self.tracker.reconfigure(config)
        assert self.tracker.config is kept

    @precondition(lambda self: hasattr(self, "tracker"))
    @invariant()
    def targets_are_those_that_were_asked_for(self):
        named = [target.description for target in self.tracker.targets if target.by_text]
        assert named == list(self.wanted)
        assert self.asked() <= self.most
        numbers = [target.id for target in self.tracker.targets if target.id]
        assert len(set(numbers)) == len(numbers)
        assert self.tracker.memory_bytes <= len(self.tracker.targets) * 20_000

    def teardown(self):
        if hasattr(self, "few_ids"):
            self.few_ids.stop()

    # ---- what every result must be ----

    def check(self, result, size, view):
        note(f"{[(each.id, each.state.name, each.area) for each in result.objects]} {result.warnings}")
        assert (result.stamp_ns, result.size, result.frame_index) == (self.now, size, self.steps)
        assert not [each for each in result.warnings if "Error" in each and "was to fail" not in each]
        self.steps += 1
        assert [each.description for each in self.by_id(self.tracker.targets)] == [
            each.description for each in result.objects
        ]
        numbers = [each.id for each in result.objects if each.id]
        assert numbers == sorted(set(numbers))
        assert all(1 <= number <= targets.MAX_ID for number in numbers)
        for each in result.objects:
            self.check_object(each, size)
        for first, second in itertools.combinations(result.objects, 2):
            assert not (first.mask & second.mask).any()
        labels = result.labels()
        assert set(np.unique(labels)) == {each.id for each in result.objects if each.area} | (
            {0} if (labels == 0).any() else set()
        )
        np.testing.assert_array_equal(labels > 0, result.union_mask() == 255)
        assert 0 < result.keep_ratio <= 1
        assert 1 <= result.tokens_kept <= result.tokens_total == TOKENS
        assert result.motion >= 0
        assert math.isfinite(result.motion)
        assert all(seconds >= 0 for seconds in result.stage_seconds.values())
        assert (result.tokens is not None) == view
        for counts in result.attention:
            assert 1 <= counts.queries <= TOKENS

    @staticmethod
    def check_object(each, size):
        assert (each.mask.dtype, each.mask.shape) == (np.bool_, size)
        assert each.area == each.mask.sum()
        assert 0 <= each.score <= 1
        assert 0 <= each.keep_ratio <= 1
        assert (each.box is None) == (each.centroid is None) == (each.area == 0)
        if each.state in (TrackState.SEARCHING, TrackState.LOST):
            assert each.area == 0
        if each.state == TrackState.TRACKING:
            assert each.area > 0
            assert each.id > 0
        if each.box is not None:
            x, y, width, height = (int(value) for value in each.box)
            assert each.mask[y : y + height, x : x + width].sum() == each.area
            assert each.mask[y].any()
            assert each.mask[y + height - 1].any()
            assert each.mask[:, x].any()
            assert each.mask[:, x + width - 1].any()
            assert x <= each.centroid[0] < x + width
            assert y <= each.centroid[1] < y + height

    # ---- pieces ----

    def seen_targets(self):
        return [(each.description, each.by_text, each.id, each.state) for each in self.tracker.targets]

    def asked(self):
        return len(self.tracker.targets) + self.waiting

    @staticmethod
    def by_id(targets):
        return sorted(targets, key=lambda target: (target.id == 0, target.id))

    def frame(self, size):
        return np.random.default_rng(self.steps).integers(0, 256, (*size, 3), np.uint8)


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=25)
