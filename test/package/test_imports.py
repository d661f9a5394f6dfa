"""Imports go one way."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

import pytest

from .project import ROOT

PACKAGE = "fastsam2_ros"
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / PACKAGE).rglob("*.py")
}
"""By the names of the modules; the package's own is left out: it imports what it is asked for, when it is asked."""
del FILES[PACKAGE]


def imported(name: str) -> set[str]:
    """Modules of the package that a module imports, within functions and for types alone too."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                found |= {f"{module}.{each.name}" for each in names} | {module}
            case ast.Import(names=names):
                found |= {each.name for each in names}
    return (found & FILES.keys()) - {name}


IMPORTS = {name: imported(name) for name in FILES}


def test_no_import_runs_in_a_circle():
    TopologicalSorter(IMPORTS).prepare()


@pytest.mark.parametrize(
    ("folder", "below"),
    [
        ("streaming", set()),
        ("language", {"streaming"}),
        ("pruning", {"streaming", "language"}),
        ("pictures", set()),
        ("batch", {"streaming", "bags"}),
        ("bags", {"batch", "pictures"}),
        ("node", {"streaming", "language", "pictures"}),
        ("doctor", {"streaming", "language", "bags"}),
    ],
)
def test_a_folder_knows_only_the_folders_below_it(folder, below):
    of_folder = [names for name, names in IMPORTS.items() if name.startswith(f"{PACKAGE}.{folder}.")]
    others = {name.split(".")[1] for name in set().union(*of_folder) if name.count(".") > 1}
    assert others - below == {folder}


@pytest.mark.parametrize("folder", ["streaming", "language", "pruning", "pictures"])
def test_what_the_tracker_is_made_of_does_not_know_the_tracker(folder):
    of_folder = [names for name, names in IMPORTS.items() if name.startswith(f"{PACKAGE}.{folder}.")]
    of_tracker = {
        f"{PACKAGE}.{name}" for name in ("tracker", "stages", "finding", "tracking", "text_cue", "tracker_state")
    }
    assert not of_tracker & set().union(*of_folder)
