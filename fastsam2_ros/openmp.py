"""How the threads with which torch computes on a CPU wait for one another. Imports no torch."""

import os


def wait_passively() -> None:
    """Let threads that wait sleep, in a process that is this package's own; to be called before torch is imported.

    By OpenMP's default they keep their cores busy for a while. Where other processes want the cores as well, as on every
    robot, the thread that is waited for then does not get one, and a step takes many times as long (docs/performance.md). The
    variable OMP_WAIT_POLICY decides where it is set.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
