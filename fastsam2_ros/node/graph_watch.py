"""Looks, once a second, for what is wrong around the node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rclpy.node import Node

_PATIENCE = 30.0
"""Seconds that a second node of the same name may be seen: one that was killed goes on being seen for a while."""
_CLOCK_SECONDS = 3.0


class GraphWatch:
    """Notices a second node of the same name, and a simulated time that does not run.

    Args:
        name: the node's, with its namespace.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._alone = self._ticking = 0.0
        self._started = False

    def update(self, names: Sequence[str], sim_time: float | None, now: float) -> Iterator[tuple[str, str]]:
        """Subject, and the problem in one sentence, empty where there is none: for `name` and `clock`.

        Args:
            names: of all nodes that are seen, with their namespaces.
            sim_time: the simulated time, seconds, 0 before it has begun; None where the node goes by the system's.
            now: monotonic time, seconds.
        """
        if not self._started:
            self._started, self._alone, self._ticking = True, now, now
        if names.count(self._name) < 2:
            self._alone = now
        twice = now - self._alone >= _PATIENCE
        yield (
            "name",
            f"There are {names.count(self._name)} nodes named {self._name}; services and parameters reach either. Give one "
            "of them another name or namespace, with -r __node:=NAME or -r __ns:=/NAME."
            if twice
            else "",
        )
        if sim_time is None or sim_time > 0:
            self._ticking = now
        yield (
            "clock",
            "use_sim_time is set, but nothing has come on /clock: play the bag with --clock, or set use_sim_time to false."
            if now - self._ticking >= _CLOCK_SECONDS
            else "",
        )


def seen_nodes(node: Node) -> list[str]:
    """Names of all nodes that this one sees, itself among them, with their namespaces."""
    return [f"{space.rstrip('/')}/{name}" for name, space in node.get_node_names_and_namespaces()]


def sim_time(node: Node) -> float | None:
    """The simulated time, seconds; None where the node goes by the system's."""
    simulated = node.get_parameter("use_sim_time").value
    return node.get_clock().now().nanoseconds * 1e-9 if simulated else None
