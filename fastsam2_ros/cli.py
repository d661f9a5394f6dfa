"""The `fastsam2` command."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from fastsam2_ros import __version__
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.openmp import wait_passively
from fastsam2_ros.printable import printable

_LONGEST = 4000
"""Characters of an error or a warning."""

COMMANDS = {
    "demo": (
        "fastsam2_ros.lab.demo.command",
        "track a description through a bag over ROS 2, with pictures and numbers",
    ),
    "doctor": ("fastsam2_ros.doctor.command", "what is there and what is not, and what closes each gap"),
    "bag": ("fastsam2_ros.bags.make", "make a bag of a video or a folder of images"),
    "replay": ("fastsam2_ros.bags.replay", "play a bag's topics into the ROS graph, bytes unchanged"),
    "record": ("fastsam2_ros.bags.record", "write topics of the ROS graph to a bag"),
    "track": ("fastsam2_ros.bags.track", "track through a bag, video or folder of images, without ROS"),
    "world": ("fastsam2_ros.lab.synthetic.command", "make clips of the generated world with their truth"),
    "train": ("fastsam2_ros.lab.training.command", "train the mini models on the generated world"),
    "evaluate": ("fastsam2_ros.lab.evaluation.command", "J&F over a data set or the generated world"),
    "ablate": (
        "fastsam2_ros.lab.evaluation.ablation.command",
        "what each way to prune costs and loses, as a table and curves",
    ),
    "situations": (
        "fastsam2_ros.lab.evaluation.situations",
        "found, hidden, gone and back: how often the tracker does right",
    ),
    "looks": ("fastsam2_ros.lab.evaluation.looks", "how alike the looks of one thing are, and of two"),
    "bench": ("fastsam2_ros.lab.evaluation.bench", "time a step by stage, beside upstream's"),
    "equality": ("fastsam2_ros.lab.evaluation.equality", "show that unpruned masks equal upstream's"),
    "soak": ("fastsam2_ros.lab.evaluation.soak", "show that memory and time of a step do not grow"),
    "hard": ("fastsam2_ros.lab.hard.command", "kills, floods, full disks and bad input over ROS 2, and what survived"),
    "soak-node": ("fastsam2_ros.lab.hard.soak_node", "show that the node takes no more, however long it runs"),
}
"""Name: module and one line of help.

The module has a string `EXAMPLE`, `add_arguments(parser)` and `run(arguments)`. It is imported only when its command is
called, so that a command needs no more libraries than its own.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after `fastsam2`; None: those of this process.

    Returns:
        exit code: 0; 2 for wrong arguments, errors of this package and of the file system, which are printed as one line;
            130 on Ctrl-C and 143 on SIGTERM, after what was written has been closed.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    overview = _overview()
    if not words or words[0] not in COMMANDS:
        # Help, version, and names that do not exist: all are answered, and left, here.
        overview.parse_args(words or ["--help"])
    name, *rest = words
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("fastsam2: %(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    try:
        with _ended_by_sigterm():
            return _run(name, rest)
    except ModuleNotFoundError as error:
        if ".lab." not in COMMANDS[name][0] or (error.name or "").startswith("fastsam2_ros"):
            raise
        return _failed(f"'{name}' needs {error.name}, which a robot does without: pip install 'fastsam2_ros[lab]'")
    except (FastSam2Error, OSError) as error:
        return _failed(str(error))
    except UnicodeEncodeError as error:  # words of the command line that are no UTF-8
        return _failed(f"{error.object[:100]!r} is not valid UTF-8.")
    except _Terminated:
        return 143
    except KeyboardInterrupt:
        return 130


def _failed(text: str) -> int:
    print(f"fastsam2: error: {printable(' '.join(text.split()), _LONGEST)}", file=sys.stderr)
    return 2


class _Formatter(logging.Formatter):
    """Records hold names and texts of the files that are read: what a terminal would obey is escaped."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802, logging's own
        return printable(super().formatMessage(record), _LONGEST)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def _terminate(*_: object) -> None:
    raise _Terminated


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers can only be set in the main thread
        return
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if previous is None else previous)


def _hold_sigterm() -> None:
    # Python forgets in the child what came between the fork and its own work after that.
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def _let_sigterm_through() -> None:
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _end_silently_by_sigterm() -> None:
    """A process that this one makes, such as a worker of a pool, ends by SIGTERM without a word."""
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


os.register_at_fork(before=_hold_sigterm, after_in_parent=_let_sigterm_through, after_in_child=_end_silently_by_sigterm)


def _run(name: str, words: Sequence[str]) -> int:
    wait_passively()
    path, summary = COMMANDS[name]
    module = import_module(path)
    parser = argparse.ArgumentParser(
        prog=f"fastsam2 {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    module.run(parser.parse_args(words))
    return 0


def _overview() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="fastsam2",
        description="Tracks what a text describes: SAM 2 with text-driven token pruning, for ROS 2.",
        epilog=f"commands:\n{listing}\n\n'fastsam2 COMMAND --help' tells more about each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastsam2 {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    return parser


if __name__ == "__main__":
    sys.exit(main())
