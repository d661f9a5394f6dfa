from __future__ import annotations

import pytest

from fastsam2_ros.lab.evaluation.pool import perform_all


def test_one_process_does_the_jobs_in_their_order() -> None:
    assert list(perform_all(abs, [-2, 1])) == [(-2, 2), (1, 1)]


def test_several_processes_give_what_one_gives() -> None:
    assert dict(perform_all(abs, [-2, 1, -3], processes=2)) == {-2: 2, 1: 1, -3: 3}


def test_an_error_of_a_job_arrives() -> None:
    with pytest.raises(TypeError):
        list(perform_all(abs, ["a", "b"], processes=2))
