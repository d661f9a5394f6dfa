from importlib import metadata

import pytest

from fastsam2_ros.doctor import library
from fastsam2_ros.doctor.findings import Verdict
from fastsam2_ros.errors import ModelError


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ((3, 9, 1), Verdict.MISSING),
        ((3, 10, 0), Verdict.GOOD),
        ((3, 12, 9), Verdict.GOOD),
        ((3, 13, 0), Verdict.MISSING),
    ],
)
def test_python_is_judged_by_its_version(version, verdict):
    assert library.python(version).verdict == verdict


def test_a_package_that_is_not_there_has_a_cure():
    def installed(name):
        if name == "sam2":
            raise metadata.PackageNotFoundError
        return "1.0"

    findings = {each.what: each for each in library.packages(installed)}
    assert (findings["sam2"].verdict, findings["torch"].verdict) == (Verdict.MISSING, Verdict.GOOD)
    assert "SAM2_BUILD_CUDA=0" in findings["sam2"].cure


def nothing(config):
    raise ModelError("neither in the cache nor to be downloaded")


def test_weights_that_are_not_there_are_missing_only_where_they_come_with_the_package():
    findings = {each.what: each.verdict for each in library.weights(nothing, nothing)}
    assert findings["SAM 2 mini"] == findings["CLIP mini"] == Verdict.MISSING
    assert findings["SAM 2 large"] == findings["CLIP ViT-B-16"] == Verdict.OPTIONAL


def test_weights_that_are_there_are_shown_with_their_path():
    findings = list(library.weights(lambda config: f"/models/{config.name}.pt", lambda config: "/models/clip.pt"))
    assert {each.verdict for each in findings} == {Verdict.GOOD}
    assert findings[0].found == "/models/mini.pt"
