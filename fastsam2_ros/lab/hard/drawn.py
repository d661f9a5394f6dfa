"""The project's property tests, with many more examples."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fastsam2_ros.lab.hard.case import Case, Group, SkippedError, expect

_ROOT = Path(__file__).resolve().parents[3]
_LIMIT = 1800.0
_TESTS = {
    "requests": "test/tracker/test_properties.py",
    "images": "test/test_images_properties.py",
    "bags and stamps": "test/bags/test_properties.py",
    "descriptions": "test/language/test_descriptions_properties.py",
    "boxes": "test/streaming/test_prompts_properties.py",
}


@contextmanager
def _stage(folder: Path) -> Iterator[int]:
    """A seed, which is printed with each result, so that it can be drawn again."""
    yield random.SystemRandom().randrange(2**32)


def _draw(file: str, seed: int) -> str:
    path = _ROOT / file
    if not path.is_file():
        raise SkippedError(f"the project's tests are not here: {path}")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile", "hard"]
    done = subprocess.run(
        [*words, f"--hypothesis-seed={seed}", str(path)],
        check=False, capture_output=True, text=True, timeout=_LIMIT, cwd=_ROOT,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith(("E  ", "FAILED"))]
    expect(done.returncode == 0, f"seed {seed}: {' '.join(told)[-250:] or done.stdout[-250:] + done.stderr[-250:]}")
    passed = re.search(r"(\d+) passed", done.stdout)
    return f"{passed[1] if passed else 0} properties, seed {seed}"


GROUP = Group(
    "drawn",
    _stage,
    tuple(Case(name, f"the contract, for whatever is drawn ({file})", partial(_draw, file)) for name, file in _TESTS.items()),
)  # fmt: skip
