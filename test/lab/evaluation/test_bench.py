"""What the benchmark times, and what it makes of the times."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

import fastsam2_ros
from fastsam2_ros.config import UNTRAINED
from fastsam2_ros.errors import FastSam2Error, InputError
from fastsam2_ros.lab.evaluation import bench, bench_scene, bench_steps
from fastsam2_ros.lab.evaluation.bench import WARM_FRAMES, checkpoint_of
from fastsam2_ros.lab.evaluation.bench_scene import SIZE, BenchScene
from fastsam2_ros.lab.evaluation.bench_steps import (
    OURS,
    UPSTREAM,
    OtherCheckoutStep,
    Setting,
    StreamingStep,
    Timing,
    make,
)
from fastsam2_ros.lab.evaluation.bench_table import HEADER, STAGES, result_tables, rows
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.shipped import MINI_SAM2

BOXES = [(100.0, 120.0, 120.0, 160.0), (240.0, 120.0, 120.0, 160.0)]


def setting(variant: str, keep_ratio: float = 1.0, targets: int = 2) -> Setting:
    return Setting(variant, "mini", "fp32", targets, "cpu", keep_ratio)


@pytest.mark.parametrize("variant", [UPSTREAM, OURS])
def test_every_step_after_the_prompt_tells_its_stages(variant):
    stepper = make(setting(variant), BOXES)
    video = noise_video(2, SIZE)
    stages = [stepper.step(video[index % 2]) for index in range(3)][-1]
    assert {"encode", "attend", "decode", "remember"} <= set(stages) <= set(STAGES)
    assert min(stages[stage] for stage in ("encode", "attend", "decode", "remember")) > 0


def test_upstreams_state_does_not_grow_without_end():
    stepper = make(setting(UPSTREAM, targets=1), BOXES[:1])
    video = noise_video(2, SIZE)
    for index in range(WARM_FRAMES):
        stepper.step(video[index % 2])
    assert len(stepper.state["images"]) == 1


def test_the_targets_are_the_scene_s_things_where_they_are():
    scene = bench_scene.bench_scene(2)
    assert scene.frames.shape == (2, *SIZE, 3)
    assert len(scene.targets(4)) == 4
    assert len(set(scene.boxes)) == len(scene.boxes) == 6
    for x, y, width, height in scene.boxes:
        assert 0 <= x < x + width <= SIZE[1]
        assert 0 <= y < y + height <= SIZE[0]


@pytest.mark.parametrize("count", [0, 3])
def test_more_targets_than_things_are_refused(count):
    with pytest.raises(InputError, match="1 to 2"):
        BenchScene(np.zeros((1, *SIZE, 3), np.uint8), tuple(BOXES)).targets(count)


def test_weights_that_come_with_a_model_are_taken():
    given, none = SimpleNamespace(checkpoint="own.pt"), SimpleNamespace(checkpoint=None)
    assert checkpoint_of("mini", none) == ""
    assert checkpoint_of("tiny", none) == UNTRAINED
    assert checkpoint_of("mini", given) == "own.pt"


def test_stages_are_timed_by_the_clock_that_is_named(monkeypatch):
    """A clock that stands still: every stage takes no time at all."""
    monkeypatch.setattr(bench_steps, "CLOCKS", {"cpu": lambda: 5.0})
    stepper = StreamingStep(Setting(OURS, "mini", "fp32", 1, "cpu", clock="cpu"), BOXES[:1])
    assert set(stepper.step(noise_video(1, (90, 160))[0]).values()) == {0.0}


@pytest.mark.skipif(not MINI_SAM2.is_file(), reason="mini's weights are not here")
def test_another_checkout_is_timed_in_a_process_of_its_own():
    checkout = Path(fastsam2_ros.__file__).parents[1]
    stepper = make(Setting("that one", "mini", "fp32", 1, "cpu", 0.0, "", checkout=str(checkout)), BOXES[:1])
    start = time.perf_counter()
    stages = [stepper.step(frame) for frame in noise_video(2, SIZE)]
    assert [list(each) for each in stages] == [["whole"], ["whole"]]
    assert 0 < sum(each["whole"] for each in stages) < time.perf_counter() - start


def test_what_is_no_checkout_is_told(tmp_path, capfd):
    stepper = OtherCheckoutStep(Setting("x", "mini", "fp32", 1, "cpu", checkout=str(tmp_path)), BOXES[:1])
    with pytest.raises(FastSam2Error, match=f"tracker of {tmp_path} has ended"):
        stepper.step(noise_video(1, (90, 160))[0])
    assert f"{tmp_path} is no checkout" in capfd.readouterr().err


def test_times_are_means(monkeypatch):
    """Every third step takes .9 s, those between them nothing."""
    seconds = iter([{"motion": 0.3, "encode": 0.6}, {"motion": 0.0}, {"motion": 0.0}] * 6)
    monkeypatch.setattr(bench, "WARM_FRAMES", 3)
    monkeypatch.setattr(bench, "make", lambda *_: SimpleNamespace(step=lambda frame: next(seconds)))
    monkeypatch.setattr(bench, "peak_in_own_process", lambda _: 0)
    monkeypatch.setattr(
        bench, "bench_scene", lambda frames: BenchScene(np.zeros((frames, 1, 1, 3), np.uint8), (BOXES[0],))
    )
    still = Setting(OURS, "mini", "fp32", 1, "cpu", 1.0, max_skip=2)
    with Progress(disable=True) as progress:
        (timing,) = bench.compare([still], 6, progress)
    assert timing.step == pytest.approx(0.3)
    assert timing.stages == pytest.approx({"motion": 0.1, "encode": 0.2})


def test_a_step_is_told_as_a_share_of_upstreams_with_as_many_targets():
    timings = [
        Timing(setting(UPSTREAM, targets=1), {"encode": 0.1}, 0.2, 3 << 20),
        Timing(setting(OURS, 0.5, targets=1), {"encode": 0.1}, 0.1, 2 << 20),
        Timing(setting(UPSTREAM, targets=4), {}, 0.8, 1),
        Timing(setting(OURS, 0.5, targets=4), {}, 0.2, 1),
    ]
    table = [dict(zip(HEADER, cells, strict=True)) for cells in rows(timings)]
    assert [row["of upstream"] for row in table] == ["1.00", "0.50", "1.00", "0.25"]
    assert table[1]["variant"] == "ours, keep 0.5"
    assert table[1]["step"] == "100.0"
    assert table[0]["peak MB"] == "3"


def test_size_and_still_scene_are_told_beside_the_keep_ratio():
    timings = [
        Timing(setting(UPSTREAM), {}, 0.4),
        Timing(Setting(OURS, "mini", "fp32", 2, "cpu", 0.0, image_size=256), {}, 0.1),
        Timing(Setting(OURS, "mini", "fp32", 2, "cpu", 0.5, max_skip=3), {}, 0.1),
        Timing(Setting("1a2b3c4", "mini", "fp32", 2, "cpu", 0.0, backend="openvino", checkout="/old"), {}, 0.1),
    ]
    table = [dict(zip(HEADER, cells, strict=True)) for cells in rows(timings)]
    assert [row["variant"] for row in table] == [
        "upstream",
        "ours, budget, 256 px",
        "ours, keep 0.5, still",
        "1a2b3c4, budget, openvino",
    ]
    assert table[3]["peak MB"] == ""
    assert table[1]["of upstream"] == "0.25"


def test_the_table_is_readable_in_80_columns():
    """Slow models on a CPU: no header and no figure is broken or cut."""
    stages = dict.fromkeys(STAGES, 12.3456)
    timings = [Timing(setting(variant, 0.55), stages, 98.7654, 12345 << 20) for variant in (UPSTREAM, OURS)]
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(*result_tables(timings, "wall"))
    words = capture.get().replace("│", " ").replace("┃", " ").split()
    assert words.count("12346") == 2 * len(STAGES)
    assert words.count("98765") == words.count("12345") == 2
    assert {"variant", "enc", "mot", "route", "att", "dec", "mem", "size", "step", "share", "MB", "upstream"} <= set(
        words
    )
