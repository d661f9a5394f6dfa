"""README.md and docs/: what they link to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .project import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def links(document: Path) -> list[tuple[Path, str]]:
    """The files that a document links to, with the heading's anchor, which may be empty."""
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    parts = [target.partition("#") for target in targets if "://" not in target]
    return [((document.parent / path).resolve() if path else document, anchor) for path, _, anchor in parts]


def anchors(document: Path) -> set[str]:
    """Of all headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    files = {path for path, _ in links(document)}
    assert {str(path.relative_to(ROOT)) for path in files if not path.exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_are_headings(document):
    wanted = [(path, anchor) for path, anchor in links(document) if anchor]
    assert [(path.name, anchor) for path, anchor in wanted if anchor not in anchors(path)] == []


def test_readme_has_at_most_120_lines():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
