"""Where cases start processes and commands, on a graph of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastsam2_ros.bags.graph import joined_graph
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.lab.demo.footage import scene
from fastsam2_ros.lab.hard.case import expect
from fastsam2_ros.lab.hard.peer import Peer
from fastsam2_ros.lab.own_graph import own_graph
from fastsam2_ros.lab.processes import Processes
from fastsam2_ros.lab.synthetic.world import WorldSequence

COMMAND = "fastsam2_ros.cli"
_NODE = "fastsam2_ros.node.main"
_LIMIT = 600.0
"""Seconds that a command may take, on a busy machine too."""
_ENDING = 120.0
"""Seconds that a process may take to end after a signal."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code, and all that it printed."""

    code: int
    text: str

    def expect(self, code: int, *words: str) -> Outcome:
        """Raise `NotRightError` unless it ended with this code, said these words, and printed no traceback."""
        expect(self.code == code, f"exit code {self.code} in place of {code}: {self.text[-300:]}")
        expect("Traceback" not in self.text, f"a traceback: {self.text[-300:]}")
        for word in words:
            expect(word in self.text, f"{word!r} is not said: {self.text[-300:]}")
        return self


class Workplace:
    """A folder, and processes that are ended when the group is over.

    Attributes:
        folder: for files.
        processes: that were started.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder = folder
        self.processes = processes
        self._count = 0

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[Workplace]:
        """On a ROS domain of its own."""
        os.environ.update(own_graph(os.environ))
        with Processes(folder / "logs") as processes:
            yield cls(folder, processes)

    def new(self, name: str) -> Path:
        """A path in the folder that does not exist yet."""
        self._count += 1
        return self.folder / f"{self._count:02d}_{name}"

    def run(self, *words: str | Path) -> Outcome:
        """Run the command `fastsam2` with these words, to its end."""
        command = [sys.executable, "-m", COMMAND, *map(str, words)]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace", timeout=_LIMIT,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise FastSam2Error(f"fastsam2 {words[0]} does not end within {_LIMIT:.0f} s.") from None
        return Outcome(done.returncode, done.stdout + done.stderr)

    def start(self, *words: str | Path, **environment: str) -> str:
        """Start the command `fastsam2` with these words, and with these variables added; the process's name."""
        self._count += 1
        name = f"{words[0]}_{self._count}"
        self.processes.start(name, COMMAND, *words, environment=environment)
        return name

    def start_node(self, *settings: str, **environment: str) -> str:
        """Start the node with these parameters, NAME:=VALUE, and with these variables added; the process's name."""
        self._count += 1
        name = f"node_{self._count}"
        words = [word for setting in settings for word in ("-p", setting)]
        self.processes.start(name, _NODE, "--ros-args", *words, environment=environment)
        return name

    @contextmanager
    def peer(self) -> Iterator[Peer]:
        """Somebody on the graph. Ctrl-C and SIGTERM go on ending the command, and not just what waits for an event."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with joined_graph("fastsam2_hard") as (node, _), Peer(node) as peer:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            yield peer

    def end(self, name: str, number: signal.Signals) -> Outcome:
        """Send a process a signal, and wait for its end."""
        os.kill(self.processes.pid(name), number)
        return self.outcome(name, _ENDING)

    def outcome(self, name: str, seconds: float = _LIMIT) -> Outcome:
        """How a process ends, within so many seconds."""
        code = self.processes.wait(name, seconds)
        return Outcome(code, self.processes.text(name))


def world() -> WorldSequence:
    """Frames of 320 x 240 in which the shipped models find and track what is described."""
    return scene(24, 10.0, (320, 240))
