"""What the benchmark times, and what it makes of the times."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import Progress

from fastsam2_ros.lab.evaluation import bench
from fastsam2_ros.lab.evaluation.bench import (
    HEADER,
    SIZE,
    STAGES,
    UPSTREAM,
    WARM_FRAMES,
    Setting,
    Timing,
    make,
    result_tables,
    rows,
)
from fastsam2_ros.lab.evaluation.upstream import noise_video


def setting(variant: str, keep_ratio: float = 1.0, targets: int = 2) -> Setting:
    return Setting(variant, "mini", "fp32", targets, "cpu", keep_ratio)


@pytest.mark.parametrize("variant", [UPSTREAM, "ours"])
def test_every_step_after_the_prompt_tells_its_stages(variant):
    stepper = make(setting(variant))
    video = noise_video(2, SIZE)
    stages = [stepper.step(video[index % 2]) for index in range(3)][-1]
    assert {"encode", "attend", "decode", "remember"} <= set(stages) <= set(STAGES)
    assert min(stages[stage] for stage in ("encode", "attend", "decode", "remember")) > 0


def test_upstreams_state_does_not_grow_without_end():
    stepper = make(setting(UPSTREAM, targets=1))
    video = noise_video(2, SIZE)
    for index in range(WARM_FRAMES):
        stepper.step(video[index % 2])
    assert len(stepper.state["images"]) == 1


def test_in_a_still_scene_the_mean_is_taken(monkeypatch):
    """Every third step takes .9 s, those between them nothing."""
    seconds = iter([{"motion": 0.3, "encode": 0.6}, {"motion": 0.0}, {"motion": 0.0}] * 6)
    monkeypatch.setattr(bench, "WARM_FRAMES", 3)
    monkeypatch.setattr(bench, "make", lambda _: SimpleNamespace(step=lambda frame: next(seconds)))
    monkeypatch.setattr(bench, "peak_in_own_process", lambda _: 0)
    still = Setting("ours", "mini", "fp32", 1, "cpu", 1.0, max_skip=2)
    with Progress(disable=True) as progress:
        (timing,) = bench.compare([still], 6, progress)
    assert timing.step == pytest.approx(0.3)
    assert timing.stages == pytest.approx({"motion": 0.1, "encode": 0.2})


def test_a_step_is_told_as_a_share_of_upstreams_with_as_many_targets():
    timings = [
        Timing(setting(UPSTREAM, targets=1), {"encode": 0.1}, 0.2, 3 << 20),
        Timing(setting("ours", 0.5, targets=1), {"encode": 0.1}, 0.1, 2 << 20),
        Timing(setting(UPSTREAM, targets=4), {}, 0.8, 1),
        Timing(setting("ours", 0.5, targets=4), {}, 0.2, 1),
    ]
    table = [dict(zip(HEADER, cells, strict=True)) for cells in rows(timings)]
    assert [row["of upstream"] for row in table] == ["1.00", "0.50", "1.00", "0.25"]
    assert table[1]["variant"] == "ours, keep 0.5"
    assert table[1]["step"] == "100.0"
    assert table[0]["peak MB"] == "3"


def test_size_and_still_scene_are_told_beside_the_keep_ratio():
    timings = [
        Timing(setting(UPSTREAM), {}, 0.4),
        Timing(Setting("ours", "mini", "fp32", 2, "cpu", 0.0, image_size=256), {}, 0.1),
        Timing(Setting("ours", "mini", "fp32", 2, "cpu", 0.5, max_skip=3), {}, 0.1),
    ]
    table = [dict(zip(HEADER, cells, strict=True)) for cells in rows(timings)]
    assert [row["variant"] for row in table] == ["upstream", "ours, budget, 256 px", "ours, keep 0.5, still"]
    assert table[1]["of upstream"] == "0.25"


def test_the_table_is_readable_in_80_columns():
    """Slow models on a CPU: no header and no figure is broken or cut."""
    stages = dict.fromkeys(STAGES, 12.3456)
    timings = [Timing(setting(variant, 0.55), stages, 98.7654, 12345 << 20) for variant in (UPSTREAM, "ours")]
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(*result_tables(timings))
    words = capture.get().replace("│", " ").replace("┃", " ").split()
    assert words.count("12346") == 2 * len(STAGES)
    assert words.count("98765") == words.count("12345") == 2
    assert {"variant", "enc", "mot", "route", "att", "dec", "mem", "size", "step", "share", "MB", "upstream"} <= set(
        words
    )
