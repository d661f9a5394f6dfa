from __future__ import annotations

import numpy as np
import pytest
from small_models import small_sam2

from fastsam2_ros.config import LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation import ours
from fastsam2_ros.lab.evaluation.ablation import measure
from fastsam2_ros.lab.evaluation.ablation.gain import TINY
from fastsam2_ros.lab.evaluation.ablation.policies import Variant
from fastsam2_ros.lab.evaluation.ours import FIRST_MASK, Ours
from fastsam2_ros.lab.evaluation.run import evaluate_sequence
from fastsam2_ros.lab.evaluation.worlds import WorldDataset
from fastsam2_ros.results import AttentionCounts
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2

FRAMES = 4


def keeping(ratio: float) -> TrackerConfig:
    return TrackerConfig(
        model=ModelConfig(name="mini", checkpoint="untrained", device="cpu"),
        pruning=PruningConfig(keep_ratio=ratio, memory_ratio=ratio),
        language=LanguageConfig(name="none"),
        seen_score=0.0,  # what random weights show looks like nothing that was given
    )


def variant(ratio: float) -> Variant:
    return Variant(keeping(ratio))


@pytest.fixture(scope="module")
def sam() -> LoadedSam2:
    return LoadedSam2(StreamingSam2(small_sam2()), True)


@pytest.fixture(scope="module")
def sequence():
    return WorldDataset(3, (96, 128)).open("1000002-level-3", FRAMES)


@pytest.fixture
def encoded(sam: LoadedSam2, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Frames that were encoded, in their order."""
    frames: list[np.ndarray] = []
    encode = sam.streaming.encode
    monkeypatch.setattr(sam.streaming, "encode", lambda frame: frames.append(frame) or encode(frame))
    monkeypatch.setattr(measure, "load", lambda model: sam)
    return frames


def test_each_frame_is_encoded_once_for_all_policies(encoded, sequence) -> None:
    measure.measure(sequence, {"dense": variant(1.0), "half": variant(0.5), "motion": variant(0.0)}, variant(1.0))
    assert len(encoded) == FRAMES


def test_policies_give_what_they_give_alone(encoded, sam, sequence, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ours, "load", lambda model: sam)
    together = measure.measure(sequence, {"dense": variant(1.0), "half": variant(0.5)}, variant(1.0))
    for name, ratio in (("dense", 1.0), ("half", 0.5)):
        record = evaluate_sequence(sequence, Ours(keeping(ratio)), FIRST_MASK, tmp_path / name)
        (scores,) = record["objects"].values()
        ((number, frames),) = together[name].frames.items()
        assert frames == scores["frames"] == [1, 2]
        assert (together[name].j[number], together[name].f[number]) == (scores["J"], scores["F"])
    assert together["dense"].j != together["half"].j, "else this test could not see a mix-up"


def test_tokens_and_flops_are_those_of_the_steps(encoded, sequence) -> None:
    (half,) = measure.measure(sequence, {"half": variant(0.5)}, variant(1.0)).values()
    assert half.tokens == 256
    assert half.queries == [0, 256, 128, 128]  # all right after the prompt
    assert half.keep_ratio == [0.5] * FRAMES
    assert half.flops[0] == 0
    # The prompt frame alone is in memory, half of it; 256 tokens of ours are 4096 of tiny's.
    assert half.keys[1] == 128
    assert half.flops[1] == pytest.approx(TINY.flops(AttentionCounts(4096, 2048, 2)))


def test_the_dense_policy_is_timed_beside_and_runs_once(encoded, sequence) -> None:
    alone = measure.measure(sequence, {"half": variant(0.5)}, variant(1.0))["half"]
    assert alone.dense_seconds["step"] > 0
    dense = measure.measure(sequence, {"dense": variant(1.0)}, variant(1.0))["dense"]
    assert dense.seconds == dense.dense_seconds
    assert set(dense.seconds) >= {"encode", "attend", "decode", "remember", "step"}


def test_several_objects_are_told_apart(encoded, sam, tmp_path, monkeypatch) -> None:
    from fastsam2_ros.lab.evaluation.datasets import open_dataset

    from ..footage import ids, write_davis

    write_davis(tmp_path, {"a": [ids(o7=0), ids(o7=0), ids(o7=0, o2=20), ids(o7=0, o2=20), ids(o7=0, o2=20)]})
    sequence = open_dataset(tmp_path).open("a")
    monkeypatch.setattr(ours, "load", lambda model: sam)
    found = measure.measure(sequence, {"dense": variant(1.0)}, variant(1.0))["dense"]
    record = evaluate_sequence(sequence, Ours(keeping(1.0)), FIRST_MASK, tmp_path / "masks")
    assert found.j == {number: scores["J"] for number, scores in record["objects"].items()}
    assert found.frames == {"2": [3], "7": [1, 2, 3]}


def test_times_are_of_the_frames_after_the_memory_is_full(monkeypatch) -> None:
    monkeypatch.setattr(measure, "WARM_FRAMES", 2)
    assert measure.medians({"step": [100.0, 100.0, 1.0, 3.0], "encode": [5.0, 7.0]}) == {"step": 2.0, "encode": 6.0}


def test_random_tokens_are_other_tokens(encoded, sequence) -> None:
    random = Variant(keeping(0.5), random_tokens=True)
    found = measure.measure(sequence, {"half": variant(0.5), "random": random}, variant(1.0))
    assert found["random"].queries == found["half"].queries
    assert found["random"].j != found["half"].j
