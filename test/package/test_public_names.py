"""Tests use the package as anyone does: through its public names."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from .project import ROOT

OF_PACKAGE = [
    *(ROOT / "fastsam2_ros").rglob("*.py"),
    *(ROOT / "scripts").glob("*.py"),
    *(ROOT / "examples").glob("*.py"),
]


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined(tree: ast.AST) -> Iterator[str]:
    """Names of functions, classes, variables and attributes that a module makes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def used_of_others(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each attribute of anything but `self` and `cls`, in code or as a word (`setattr`), and each import."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) | ast.alias(name=name):
                yield node.lineno, name
            case ast.Call(args=[*_]):
                words = (each.value for each in node.args[:2] if isinstance(each, ast.Constant))
                yield from ((node.lineno, word.rpartition(".")[2]) for word in words if isinstance(word, str))


HIDDEN = {name for path in OF_PACKAGE for name in defined(ast.parse(path.read_text(encoding="utf-8"))) if private(name)}


@pytest.mark.parametrize("path", sorted((ROOT / "test").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_name_of_the_package_is_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [f"{path.name}:{line} {name}" for line, name in used_of_others(tree) if name in HIDDEN] == []
