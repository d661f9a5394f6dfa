"""`fastsam2 hard`: kills, floods, full disks, bad input and bombs over real DDS, and what was survived of them."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fastsam2_ros.errors import FastSam2Error, InputError
from fastsam2_ros.lab.hard.case import Case, Group, SkippedError
from fastsam2_ros.lab.hard.leftovers import Leftovers
from fastsam2_ros.printable import printable

EXAMPLE = "fastsam2 hard --only kills disks"
_SHOWN = 300
_VERDICTS = {True: "[green]survived[/]", False: "[bold red]NOT[/]", None: "[yellow]skipped[/]"}


@dataclass(frozen=True)
class Row:
    """What came of a case.

    Attributes:
        group, name, right: the case's.
        survived: None where it could not be tried here.
        seen: what came out.
        seconds: that it took.
    """

    group: str
    name: str
    right: str
    survived: bool | None
    seen: str
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="groups of this name, and cases that hold it"
    )
    parser.add_argument("--list", action="store_true", help="name what there is, and try nothing")


def run(arguments: argparse.Namespace) -> None:
    """Try everything, and print a table; exit code 1 where something was not survived."""
    chosen = selected(groups(), arguments.only)
    if not chosen:
        raise InputError(f"There is no case of the name {', '.join(arguments.only)}; --list names them.")
    console = Console()
    if arguments.list:
        for group in chosen:
            for case in group.cases:
                console.print(f"{group.name}: {case.name}: {case.right}", markup=False, highlight=False, soft_wrap=True)
        return
    rows: list[Row] = []
    for group in chosen:
        rows += try_group(group, console)
    console.print(table(rows))
    survived, skipped = sum(row.survived is True for row in rows), sum(row.survived is None for row in rows)
    total = f"{survived} of {len(rows) - skipped} survived"
    console.print(f"{total}{f', {skipped} skipped' if skipped else ''}, in {sum(row.seconds for row in rows):.0f} s.")
    if survived + skipped < len(rows):
        raise SystemExit(1)


def groups() -> list[Group[Any]]:
    """Everything that is tried."""
    from fastsam2_ros.lab.hard import clock, compressed, disks, drawn, files, kills, large_images, node_input

    return [
        node_input.GROUP, compressed.GROUP, clock.GROUP, large_images.GROUP, kills.GROUP, disks.GROUP, files.GROUP, drawn.GROUP
    ]  # fmt: skip


def selected(found: Sequence[Group[Any]], words: Sequence[str]) -> list[Group[Any]]:
    """The groups and cases whose names hold one of the words; all where there is none."""
    chosen = []
    for group in found:
        whole = not words or group.name in words
        cases = [case for case in group.cases if whole or any(word in case.name for word in words)]
        if cases:
            chosen.append(replace(group, cases=cases))
    return chosen


def try_group(group: Group[Any], console: Console) -> list[Row]:
    """Try the cases of a group, and look at what they leave behind. Whatever fails is a row."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="fastsam2_hard_") as folder, Leftovers(Path(folder)) as leftovers:
        for row in _rows(group, Path(folder)):
            rows.append(row)
            _tell(console, row)
        rows.append(_left(group, leftovers))
        _tell(console, rows[-1])
    return rows


def try_case(group: str, case: Case[Any], stage: AbstractContextManager[Any]) -> Row:
    """Try one case. An error of any kind is a row."""
    started = time.monotonic()
    survived: bool | None = False
    try:
        with stage as entered:
            seen = case.try_it(entered)
        survived = True
    except SkippedError as error:
        survived, seen = None, str(error)
    except Exception as error:
        seen = _told(error)
    return Row(group, case.name, case.right, survived, seen, time.monotonic() - started)


def table(rows: Sequence[Row]) -> Table:
    """A row for each case, below the name of its group."""
    found = Table(box=SIMPLE_HEAD)
    found.add_column("case", ratio=2)
    found.add_column("", no_wrap=True)
    found.add_column("seen", ratio=3)
    found.add_column("s", justify="right", no_wrap=True)
    for group, members in groupby(rows, key=lambda row: row.group):
        found.add_section()
        found.add_row(f"[bold]{group}[/]")
        for row in members:
            seen = escape(printable(row.seen, _SHOWN))
            found.add_row(row.name, _VERDICTS[row.survived], seen, f"{row.seconds:.0f}")
    return found


def _rows(group: Group[Any], folder: Path) -> Iterator[Row]:
    if not group.shared:
        for number, case in enumerate(group.cases):
            own = folder / str(number)
            own.mkdir()
            yield try_case(group.name, case, group.stage(own))
        return
    started = time.monotonic()
    try:
        with group.stage(folder) as stage:
            for case in group.cases:
                yield try_case(group.name, case, nullcontext(stage))
    except Exception as error:
        right = "is built up and taken down"
        yield Row(group.name, "the stage", right, False, _told(error), time.monotonic() - started)


def _left(group: Group[Any], leftovers: Leftovers) -> Row:
    removed = leftovers.remove_segments() if group.kills else 0
    left = leftovers.left()
    leftovers.remove_segments()
    seen = ", ".join(left) or (f"nothing but {removed} segments of those killed, removed" if removed else "nothing")
    return Row(group.name, "leftovers", "no process, disk or shared memory is left", not left, seen, 0.0)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, FastSam2Error) else f"{type(error).__name__}: {error}"


def _tell(console: Console, row: Row) -> None:
    text = (
        f"{_VERDICTS[row.survived]} {row.group}: {row.name}, {row.seconds:.1f} s: {escape(printable(row.seen, _SHOWN))}"
    )
    console.print(text, highlight=False)
