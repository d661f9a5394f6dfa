"""What `colcon build` and `pip install .` put where."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from fastsam2_ros import __version__

from .project import ROOT

LEFT_OUT = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="module")
def prefix():
    folder = ROOT / "install" / "fastsam2_ros"
    if not folder.is_dir():
        pytest.skip("not built by colcon here: make setup")
    return folder


@pytest.fixture(scope="module")
def site_packages(prefix):
    (folder,) = prefix.glob("lib/python3*/site-packages")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: setuptools leaves its files where it builds."""
    copy = tmp_path_factory.mktemp("source") / "fastsam2_ros"
    copy.mkdir()
    for name in ("fastsam2_ros", "launch", "config", "scripts", "resource", "msg", "action"):
        shutil.copytree(ROOT / name, copy / name, ignore=LEFT_OUT)
    for name in ("setup.py", "pyproject.toml", "package.xml", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (path,) = copy.glob("*.whl")
    return zipfile.ZipFile(path)


def test_messages_and_modules_are_one_package(site_packages, tmp_path):
    probe = "import fastsam2_ros, fastsam2_ros.msg, fastsam2_ros.config; print(len(fastsam2_ros.__path__))"
    environment = {**os.environ, "PYTHONPATH": str(site_packages)}
    answer = subprocess.run(
        [sys.executable, "-c", probe], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "1", answer.stderr


def test_our_init_replaces_the_generated_one(site_packages):
    installed = (site_packages / "fastsam2_ros" / "__init__.py").read_text()
    assert installed == (ROOT / "fastsam2_ros" / "__init__.py").read_text()


@pytest.mark.parametrize("name", ["fastsam2", "fastsam2_tracker"])
def test_executable_runs_in_the_active_python(prefix, name):
    path = prefix / "lib" / "fastsam2_ros" / name
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env python3\n")


@pytest.mark.parametrize("name", ["launch/track.launch.py", "config/fastdds.xml", "config/tracker.yaml", "package.xml"])
def test_share_has(prefix, name):
    assert (prefix / "share" / "fastsam2_ros" / name).is_file()


def test_wheel_has_every_module_and_data_file(wheel):
    wanted = {
        str(path.relative_to(ROOT))
        for suffix in ("py", "yaml", "json", "safetensors", "typed")
        for path in ROOT.glob(f"fastsam2_ros/**/*.{suffix}")
    }
    assert wanted <= set(wheel.namelist())


def test_wheel_has_the_command(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "fastsam2 = fastsam2_ros.cli:main" in wheel.read(entry_points).decode()


@pytest.mark.parametrize(
    "name",
    [
        "share/ament_index/resource_index/packages/fastsam2_ros",
        "share/fastsam2_ros/package.xml",
        "share/fastsam2_ros/launch/track.launch.py",
        "share/fastsam2_ros/config/tracker.yaml",
        "share/fastsam2_ros/msg/TrackedObject.msg",
        "share/fastsam2_ros/action/Track.action",
        "lib/fastsam2_ros/fastsam2_tracker",
    ],
)
def test_wheel_has_what_ros_looks_for(wheel, name):
    assert f"fastsam2_ros-{__version__}.data/data/{name}" in wheel.namelist()
