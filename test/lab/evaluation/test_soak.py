"""Memory does not grow with the length of the video. (`fastsam2 soak --frames 1000` shows it over a long one.)"""

from __future__ import annotations

from fastsam2_ros.lab.evaluation.soak import Soak, run_soak
from fastsam2_ros.lab.process_usage import MEGABYTE


def test_memory_is_flat_after_the_warm_up():
    soak = run_soak(frames=80, targets=1, model="mini")
    assert soak.growth() < 20 * MEGABYTE
    assert max(soak.bank[-25:]) <= max(soak.bank[25:55])


def test_growth_is_noticed():
    soak = Soak(resident=[n * MEGABYTE for n in range(160)], bank=[0] * 160, seconds=[0.1] * 120 + [0.2] * 40)
    assert soak.growth() > 20 * MEGABYTE
    assert soak.slowdown() == 2.0


def test_targets_that_come_and_go_leave_no_threads_and_files():
    soak = run_soak(frames=80, targets=4, model="mini", changes=True)
    assert max(soak.files[-30:]) <= max(soak.files[20:50])
    assert max(soak.threads[-30:]) <= max(soak.threads[20:50])
    assert soak.highest_id > 4
