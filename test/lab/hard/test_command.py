"""What `fastsam2 hard` tries, tells and leaves."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from fastsam2_ros import cli
from fastsam2_ros.lab.hard import command
from fastsam2_ros.lab.hard.case import Case, Group, NotRightError, SkippedError, expect
from fastsam2_ros.lab.hard.leftovers import Leftovers, children


@contextmanager
def stage(folder: Path):
    yield folder


def fail(_):
    raise NotRightError("5 of 6 frames")


def skip(_):
    raise SkippedError("no disk can be mounted")


GOOD = Case("good", "all", lambda folder: f"{folder.is_dir()}")
BAD = Case("bad", "all", fail)
SKIPPED = Case("skipped", "all", skip)
BROKEN = Case("broken", "all", lambda folder: {}["key"])


def tried(*cases, **options) -> list[command.Row]:
    group = Group("group", options.pop("stage", stage), cases, **options)
    return command.try_group(group, Console(quiet=True))


def test_what_was_seen_is_a_row() -> None:
    good, leftovers = tried(GOOD)
    assert (good.group, good.name, good.right, good.survived, good.seen) == ("group", "good", "all", True, "True")
    assert (leftovers.survived, leftovers.seen) == (True, "nothing")


def test_a_case_that_fails_does_not_stop_the_next() -> None:
    rows = tried(BAD, BROKEN, SKIPPED, GOOD)
    assert [row.survived for row in rows] == [False, False, None, True, True]
    assert [row.seen for row in rows[:3]] == ["5 of 6 frames", "KeyError: 'key'", "no disk can be mounted"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_stage_that_fails_is_a_row(shared) -> None:
    @contextmanager
    def broken(folder):
        raise OSError("no graph")
        yield

    assert [row.seen for row in tried(GOOD, stage=broken, shared=shared)] == ["OSError: no graph", "nothing"]


@pytest.mark.parametrize("shared", [False, True])
def test_cases_have_a_stage_of_their_own_or_one_for_all(shared) -> None:
    folders = []
    case = Case("looks", "", lambda folder: folders.append(folder) or "")
    tried(case, case, shared=shared)
    assert len(set(folders)) == (1 if shared else 2)
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize(
    ("cases", "code", "summary"),
    [((GOOD, SKIPPED), 0, "2 of 2 survived, 1 skipped"), ((GOOD, BAD), 1, "2 of 3 survived")],
)
def test_the_exit_code_tells(monkeypatch, capsys, cases, code, summary) -> None:
    monkeypatch.setattr(command, "groups", lambda: [Group("group", stage, cases)])
    found = 0
    try:
        found = cli.main(["hard"])
    except SystemExit as error:
        found = error.code
    assert found == code
    assert summary in capsys.readouterr().out


def test_a_process_that_is_left_is_told() -> None:
    processes = []

    def leave(_):
        processes.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return ""

    try:
        row = tried(Case("leaves", "", leave))[-1]
    finally:
        processes[0].communicate(b"\n")
    assert (row.survived, row.seen) == (False, f"process {processes[0].pid}")
    assert processes[0].pid not in children()


@pytest.mark.parametrize(("kills", "survived"), [(False, False), (True, True)])
def test_shared_memory_of_a_process_that_is_gone_is_told_and_removed(monkeypatch, kills, survived) -> None:
    segment = Path("/dev/shm", f"fastdds_{os.getpid():016x}")
    segment.write_bytes(bytes(4096))

    def hold(_):
        with segment.open("r+b") as file, mmap.mmap(file.fileno(), 4096):
            seen.wait_for(segment)
        return ""

    class Seen(Leftovers):
        def wait_for(self, place):
            while place not in self._segments:
                self._look_once()

    seen = None

    def remember(folder):
        nonlocal seen
        seen = Seen(folder)
        return seen

    monkeypatch.setattr(command, "Leftovers", remember)
    try:
        row = tried(Case("holds", "", hold), kills=kills)[-1]
        assert row.survived == survived
        assert (segment.name in row.seen) != kills
        assert not segment.exists()
    finally:
        segment.unlink(missing_ok=True)


def test_the_table_breaks_no_word_in_80_columns() -> None:
    names = [(group.name, case.name) for group in command.groups() for case in group.cases]
    rows = [
        command.Row(*name, "all", survived, "headers unchanged", 1234.5) for name in names for survived in (True, None)
    ]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(command.table(rows))
    printed = set(captured.get().split())
    assert {word for name in names for each in name for word in each.split()} <= printed
    assert {"survived", "skipped", "unchanged", "1234"} <= printed


def test_cases_are_chosen_by_name(capsys) -> None:
    assert cli.main(["hard", "--only", "kills", "protobuf", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("files: protobuf:") for line in lines)
    assert {line.partition(":")[0] for line in lines} == {"kills", "files"}
    assert cli.main(["hard", "--only", "nothing of the sort"]) == 2


def test_every_case_has_a_name_of_its_own() -> None:
    found = [(group.name, case.name) for group in command.groups() for case in group.cases]
    assert len(set(found)) == len(found) > 40


def test_what_is_expected_is_said() -> None:
    expect(True, "fine")
    with pytest.raises(NotRightError, match="3 of 4"):
        expect(0, "3 of 4")
