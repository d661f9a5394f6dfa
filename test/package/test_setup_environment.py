"""scripts/setup_environment.py: what it notices and what it repairs."""

from __future__ import annotations

import sys

import pytest

from .project import load


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The script as if the project lay in an empty folder."""
    module = load("scripts/setup_environment.py")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", sys.executable)
    return module


@pytest.mark.parametrize(("tool", "package"), [("compiler", "g++"), ("CMake", "cmake"), ("make", "make")])
def test_names_a_missing_tool_and_its_package(setup, monkeypatch, tmp_path, tool, package):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert any(tool in what and wanted == package for what, wanted in setup.missing_tools())


def test_names_an_old_cmake(setup, monkeypatch):
    monkeypatch.setattr(setup, "cmake_version", lambda: (3, 16))
    assert [what for what, _ in setup.missing_tools() if "3.16" in what]


def test_names_missing_headers(setup, monkeypatch):
    monkeypatch.setattr(setup.sysconfig, "get_paths", lambda: {"include": "/nowhere"})
    assert [package for what, package in setup.missing_tools() if "Python.h" in what and package.endswith("-dev")]


def test_message_is_a_command_to_type(setup, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"sudo apt install .*g\+\+"):
        setup.main()


def test_unsuitable_python_is_refused_with_the_way_out(setup, monkeypatch):
    monkeypatch.setattr(setup.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(setup, "other_python", lambda: None)
    with pytest.raises(SystemExit, match=r"3\.10 to 3\.12 is needed.*\n.*apt install"):
        setup.missing_tools()


def test_repairs_python_and_numpy_paths(setup, tmp_path):
    folder = tmp_path / ".venv" / "share" / "some_msgs" / "cmake"
    folder.mkdir(parents=True)
    built = "/opt/python/cp311-cp311"
    (folder / "export.cmake").write_text(
        f'INCLUDE "/x/include;{built}/include/python3.11;{built}/lib/python3.11/site-packages/numpy/_core/include"'
    )
    assert setup.repair_cmake_files() == 1
    import sysconfig

    import numpy as np

    repaired = (folder / "export.cmake").read_text()
    assert repaired == f'INCLUDE "/x/include;{sysconfig.get_paths()["include"]};{np.get_include()}"'


def test_repair_leaves_the_hard_link_into_the_cache_alone(setup, tmp_path):
    folder = tmp_path / ".venv" / "share" / "some_msgs" / "cmake"
    folder.mkdir(parents=True)
    cached = tmp_path / "cached.cmake"
    cached.write_text('"/opt/python/cp311-cp311/include/python3.11"')
    (folder / "export.cmake").hardlink_to(cached)
    setup.repair_cmake_files()
    assert "/opt/python/" in cached.read_text()


def test_build_of_another_folder_is_removed(setup, tmp_path):
    cache = tmp_path / "build" / "fastsam2_ros" / "CMakeCache.txt"
    cache.parent.mkdir(parents=True)
    cache.write_text("CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere\n")
    setup.refresh(tmp_path / "build")
    assert not (tmp_path / "build").exists()


def test_build_of_this_folder_stays(setup, tmp_path):
    cache = tmp_path / "build" / "fastsam2_ros" / "CMakeCache.txt"
    cache.parent.mkdir(parents=True)
    cache.write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tmp_path}\n")
    setup.refresh(tmp_path / "build")
    assert cache.exists()


def test_pip_settings_reach_uv(setup, monkeypatch):
    listing = "global.index-url='https://mirror.example/simple'\n:env:.cert='/etc/ca.pem'\nglobal.timeout='60'\n"
    answer = setup.subprocess.CompletedProcess([], 0, stdout=listing)
    monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: answer)
    assert setup.pip_settings({}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }
