"""What one case of `fastsam2 hard` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from fastsam2_ros.errors import FastSam2Error

Stage = TypeVar("Stage")


class NotRightError(FastSam2Error):
    """Something came out that was not right."""


class SkippedError(FastSam2Error):
    """A case cannot be tried here; says why."""


def expect(right: object, what: str) -> None:
    """Raise `NotRightError` with `what` unless `right` is true."""
    if not right:
        raise NotRightError(what)


@dataclass(frozen=True)
class Case(Generic[Stage]):
    """One thing that is tried.

    Attributes:
        name: two or three words, different for each case.
        right: what must come of it.
        try_it: does it, with what the group's stage gives; what was seen, in a few words. Raises `FastSam2Error` where that
            is not right.
    """

    name: str
    right: str
    try_it: Callable[[Stage], str]


@dataclass(frozen=True)
class Group(Generic[Stage]):
    """Cases that are tried one after another.

    Attributes:
        name: one or two words.
        stage: gets an empty folder, which is removed afterwards.
        kills: processes are killed in it, so that shared memory of theirs is left, and removed here.
        shared: the stage is entered before the first case and left after the last; else it is another for each.
    """

    name: str
    stage: Callable[[Path], AbstractContextManager[Stage]]
    cases: Sequence[Case[Stage]]
    kills: bool = False
    shared: bool = False
