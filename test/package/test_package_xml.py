"""package.xml against the code."""

from __future__ import annotations

import ast
from xml.etree import ElementTree

import pytest

import fastsam2_ros

from .project import ROOT

ROS_MODULES = ("rclpy", "cv_bridge", "launch", "launch_ros", "ament_index_python")


@pytest.fixture(scope="module")
def package():
    return ElementTree.parse(ROOT / "package.xml").getroot()


def imported_ros_packages():
    found = set()
    for path in [*ROOT.glob("fastsam2_ros/**/*.py"), *ROOT.glob("launch/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found |= {name.split(".")[0] for name in names}
    return {name for name in found if name in ROS_MODULES or name.endswith(("_msgs", "_srvs", "_interfaces"))}


def test_declares_every_ros_package_that_is_imported(package):
    tags = ("depend", "exec_depend")
    declared = {element.text for tag in tags for element in package.findall(tag)}
    assert imported_ros_packages() <= declared


def test_version_is_that_of_the_library(package):
    assert package.findtext("version") == fastsam2_ros.__version__


def test_build_type_can_build_messages(package):
    assert package.findtext("export/build_type") == "ament_cmake"


def test_every_message_is_built():
    listed = (ROOT / "CMakeLists.txt").read_text()
    assert all(f"msg/{path.name}" in listed for path in ROOT.glob("msg/*.msg"))
    assert all(f"action/{path.name}" in listed for path in ROOT.glob("action/*.action"))
