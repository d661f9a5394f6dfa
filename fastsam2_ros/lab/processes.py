"""Other processes of the demo and of `make hard`: started, watched, and ended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO

from fastsam2_ros.errors import FastSam2Error

_PATIENCE = 30.0
"""Seconds that a process gets to end after SIGINT; what it computes at that moment is finished first."""


class Processes:
    """Python modules run as processes, each with a log file; a context manager that leaves none running.

    They stay in the process group of this one, so that a terminal that is closed closes them too.

    Args:
        logs: folder for the log files; made where it does not exist.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._files: list[IO[bytes]] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # A script's shell starts what runs in its background so, and processes would inherit it: none could be ended.
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(
        self, name: str, module: str, *words: str | Path, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Run `python -m module words...` as `name`, with variables added to this process's own; what it prints goes to
        `name`.log.
        """
        log = (self._logs / f"{name}.log").open("wb")
        self._files.append(log)
        command = [sys.executable, "-u", "-m", module, *map(str, words)]
        # The environment goes along whole: two variables of the ROS wheels belong together.
        self._running[name] = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )

    def ended(self, name: str) -> bool:
        """Whether it has ended by itself, well.

        Raises:
            FastSam2Error: it, or any other process, has failed.
        """
        for each, process in self._running.items():
            self._require_success(each, process.poll() or 0)
        # Not asked again: it may have ended, and badly, since then.
        return self._running[name].returncode is not None

    def pid(self, name: str) -> int:
        """Its number."""
        return self._running[name].pid

    def text(self, name: str) -> str:
        """What it has printed so far."""
        return (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait(self, name: str, seconds: float) -> int:
        """Its exit code, once it has ended; minus the signal's number where that ended it.

        Raises:
            FastSam2Error: it goes on for so many seconds.
        """
        try:
            return self._running[name].wait(seconds)
        except subprocess.TimeoutExpired:
            raise FastSam2Error(f"The process '{name}' does not end within {seconds:.0f} s.") from None

    def stop(self, name: str) -> None:
        """End it with SIGINT.

        Raises:
            FastSam2Error: it does not end, or with another exit code than 0.
        """
        process = self._running[name]
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            code = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            raise FastSam2Error(f"The process '{name}' does not end within {_PATIENCE:.0f} s of SIGINT.") from None
        self._require_success(name, code)

    def _require_success(self, name: str, code: int) -> None:
        if code:
            path = self._logs / f"{name}.log"
            lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
            told = lines[-1] if lines else "It printed nothing."
            raise FastSam2Error(f"The process '{name}' ended with exit code {code}: {told} (all of it: {path})")

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = [process for process in self._running.values() if process.poll() is None]
        for process in left:
            process.send_signal(signal.SIGINT)
        for process in left:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for file in self._files:
            file.close()
