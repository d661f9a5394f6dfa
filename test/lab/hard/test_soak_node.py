"""What counts as growth of the node."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.lab.hard.soak_node import Sample, growth, in_parts
from fastsam2_ros.lab.process_usage import MEGABYTE, ProcessUsage


def samples(count=100, **slopes):
    """One a second; slopes: what each of the samples has more than the one before."""
    found = []
    for number in range(count):
        more = {name: round(slope * number) for name, slope in slopes.items()}
        usage = ProcessUsage(
            resident=1000 * MEGABYTE + more.get("resident", 0), threads=20 + more.get("threads", 0),
            files=20 + more.get("files", 0), segments=9 + more.get("segments", 0), cpu_seconds=0.3 * number,
        )  # fmt: skip
        found.append(Sample(usage, 5 + more.get("log_lines", 0), 2 * number, 2 * number, 0.2))
    return in_parts(found)


def test_nothing_grew():
    assert growth(samples(log_lines=1)) == []


@pytest.mark.parametrize(
    ("slopes", "name"),
    [
        ({"resident": MEGABYTE}, "memory"),
        ({"threads": 0.1}, "threads"),
        ({"files": 0.1}, "files"),
        ({"segments": 0.1}, "segments"),
    ],
)
def test_what_grew_is_named(slopes, name):
    assert growth(samples(**slopes)) == [name]


def test_lines_that_come_ever_faster_are_growth():
    parts = samples()
    parts[-1] = [
        Sample(each.usage, number, each.received, each.processed, 0.2) for number, each in enumerate(parts[-1])
    ]
    assert growth(parts) == ["log lines"]


def test_too_short_a_run_is_told():
    with pytest.raises(FastSam2Error, match="run longer"):
        samples(count=5)


def test_usage_is_the_process_s_own():
    with subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        found = ProcessUsage.of(child.pid)
        child.communicate(b"\n")
    assert found.threads == 1
    assert found.segments == 0
    assert found.files == 3
    assert MEGABYTE < found.resident < 100 * MEGABYTE
    with pytest.raises(OSError, match=r"/proc/"):
        ProcessUsage.of(child.pid)
