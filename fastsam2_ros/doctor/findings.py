"""What the doctor finds, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rich.markup import escape
from rich.table import Table

from fastsam2_ros.printable import printable


class Verdict(Enum):
    """How much something matters."""

    GOOD = "ok"
    OPTIONAL = "optional"
    """It is not there, and only some things need it."""
    MISSING = "missing"
    """Nothing goes without it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: its name.
        verdict: see `Verdict`.
        found: what is there, or why not; one line.
        cure: the command or sentence that closes the gap; empty: there is none.
    """

    what: str
    verdict: Verdict
    found: str
    cure: str = ""


_STYLES = {Verdict.GOOD: "green", Verdict.OPTIONAL: "yellow", Verdict.MISSING: "bold red"}


def table(groups: Sequence[tuple[str, Sequence[Finding]]]) -> Table:
    """One table of all findings, by group."""
    view = Table(show_lines=False)
    for heading in ("", "what", "", "found", "what to do"):
        view.add_column(heading, overflow="fold")
    for group, findings in groups:
        for index, each in enumerate(findings):
            style = _STYLES[each.verdict]
            view.add_row(
                group if index == 0 else "",
                escape(printable(each.what)),
                f"[{style}]{each.verdict.value}[/{style}]",
                escape(printable(each.found)),
                escape(each.cure),
            )
        view.add_section()
    return view
