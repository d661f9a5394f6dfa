from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastsam2_ros.errors import FastSam2Error


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders a and b of four small pictures, on which a bright square moves."""
    root = tmp_path_factory.mktemp("clips")
    for row, name in enumerate("ab"):
        (root / name).mkdir()
        for number in range(4):
            picture = np.full((48, 64, 3), 40, np.uint8)
            picture[8 + 8 * row :, 8 + 4 * number :][:16, :16] = 220
            cv2.imwrite(str(root / name / f"{number}.png"), picture)
    return root


@pytest.fixture(scope="session")
def local_ray() -> Iterator[str]:
    """The address of a Ray on this machine, to which this process is connected.

    Ray ends a process that is connected to it where its own processes stall, as on a machine that is busy with tests.
    """
    if "FASTSAM2_TEST_RAY" not in os.environ:
        pytest.skip("a Ray of one's own is tested by itself: FASTSAM2_TEST_RAY=1 scripts/run pytest -n0 test/batch")
    ray = pytest.importorskip("ray")
    from fastsam2_ros.batch.on_ray import session

    with ExitStack() as stack:
        try:
            stack.enter_context(session("local"))
        except FastSam2Error as error:
            pytest.skip(f"Ray does not start, as on a busy machine: {error}")
        yield ray.get_runtime_context().gcs_address
