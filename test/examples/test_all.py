import ast

import pytest

from .listening import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_fewer_than_100_lines(path):
    assert len(path.read_text().splitlines()) < 100


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_uses_nothing_of_ours_but_messages(path):
    modules = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert {name for name in modules if name.startswith("fastsam2_ros")} <= {"fastsam2_ros.msg"}


def test_every_example_has_a_test():
    tests = {path.name for path in (ROOT / "test" / "examples").glob("test_*.py")}
    assert {f"test_{path.name}" for path in EXAMPLES} <= tests
