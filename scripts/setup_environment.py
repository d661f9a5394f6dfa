#!/usr/bin/env python3
"""Makes the project's own environment: .venv with ROS 2, torch and the checks, and the built package in install/.

Needs nothing but a Python, a C++ compiler, CMake and make; no root, no ROS. Safe to run again at any time, also after a
run that was interrupted: what is done already is skipped, so that it takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "scripts" / "requirements"
PACKAGES_STAMP = VENV / "packages.sha256"
BUILD_STAMP = ROOT / "install" / "build.sha256"

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 12)
OLDEST_CMAKE = (3, 20)
NEEDED_GIGABYTES = 9  # torch with its CUDA libraries is the most of it; a CPU build needs about 3


def main() -> None:
    """Do what is missing, one line on each step; exit code 1 and one sentence where something is in the way."""
    missing = missing_tools()
    if missing:
        stop(
            "Missing here: " + "; ".join(what for what, _ in missing) + ".\nOn Debian or Ubuntu, install with:\n"
            "    sudo apt install " + " ".join(dict.fromkeys(package for _, package in missing))
        )
    try:
        make_venv()
        install_packages()
        build()
    except subprocess.CalledProcessError as error:
        stop(f"This command failed (exit code {error.returncode}):\n    {' '.join(map(str, error.cmd))}")
    except KeyboardInterrupt:
        stop("Interrupted. Run it again to go on.")


def missing_tools() -> list[tuple[str, str]]:
    """What this machine lacks: (sentence part, apt package)."""
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        other = other_python()
        if other:
            os.execv(other, [other, str(Path(__file__)), *sys.argv[1:]])
        wanted = f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} to {NEWEST_PYTHON[0]}.{NEWEST_PYTHON[1]}"
        stop(
            f"Python {wanted} is needed, and {sys.executable} is {version[0]}.{version[1]}.\n"
            "Debian 12 and Ubuntu 22.04 and 24.04 have one: sudo apt install python3 python3-venv python3-dev\n"
            "Elsewhere, name yours: make setup PYTHON=/path/to/python3.12"
        )
    missing = []
    name = f"python{version[0]}.{version[1]}"
    # Debian leaves ensurepip out of its plain python3.
    if not (find_spec("venv") and find_spec("ensurepip")):
        missing.append(("Python's venv module", f"{name}-venv"))
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        missing.append(("Python's C headers (Python.h)", f"{name}-dev"))
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        missing.append(("a C++ compiler", "g++"))
    if not shutil.which("make"):
        missing.append(("make", "make"))
    wanted = ".".join(map(str, OLDEST_CMAKE))
    found = cmake_version()
    if found is None:
        missing.append((f"CMake {wanted} or later", "cmake"))
    elif found < OLDEST_CMAKE:
        missing.append((f"CMake {wanted} or later (here is {found[0]}.{found[1]})", "cmake"))
    return missing


def other_python() -> str | None:
    """The path of a suitable Python beside an unsuitable one."""
    for minor in range(NEWEST_PYTHON[1], OLDEST_PYTHON[1] - 1, -1):
        path = shutil.which(f"python3.{minor}")
        # A version manager's shim exists for versions that are not active; only one that runs counts.
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def cmake_version() -> tuple[int, int] | None:
    """Major and minor version of CMake, or None where there is none."""
    if not shutil.which("cmake"):
        return None
    answer = subprocess.run(["cmake", "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", answer)
    return (int(found[1]), int(found[2])) if found else None


def make_venv() -> None:
    """Create .venv, again where it is broken or of an unsuitable Python."""
    probe = f"import sys; sys.exit(not ({OLDEST_PYTHON} <= sys.version_info[:2] <= {NEWEST_PYTHON}))"
    if PYTHON.exists() and subprocess.run([PYTHON, "-I", "-S", "-c", probe], check=False).returncode == 0:
        return
    say(f"1/3 Virtual environment in {VENV.relative_to(ROOT)} (Python {sys.version.split()[0]})")
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True, env=clean_environment())


def install_packages() -> None:
    """Install the requirements into .venv with uv, and repair the ROS wheels' paths."""
    files = sorted(REQUIREMENTS.glob("*.txt"))
    wanted = digest(files, [str(VENV), sys.platform])
    if read(PACKAGES_STAMP) == wanted:
        return
    say("2/3 Python packages: ROS 2, torch and others (several GB at the first time, then from uv's cache)")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GIGABYTES and not list(VENV.glob("lib/python3.*/site-packages/torch/__init__.py")):
        say(
            f"    Only {free:.1f} GB are free and about {NEEDED_GIGABYTES} are needed; if it fails, make room, or set "
            "UV_TORCH_BACKEND=cpu for a torch without CUDA (about 3 GB)."
        )
    environment = clean_environment(VIRTUAL_ENV=str(VENV), SAM2_BUILD_CUDA="0")
    pip = [PYTHON, "-m", "pip"]
    if subprocess.run([*pip, "--version"], check=False, capture_output=True, env=environment).returncode != 0:
        subprocess.run([PYTHON, "-m", "ensurepip"], check=True, env=environment)
    subprocess.run([*pip, "install", "--quiet", "uv>=0.5"], check=True, env=environment)
    environment = {**pip_settings(environment), **environment}
    install = [PYTHON, "-m", "uv", "pip", "install"]
    first = [part for file in files if file.name != "sam2.txt" for part in ("--requirement", file)]
    subprocess.run([*install, *first], check=True, env=environment)
    sam2 = ["--no-build-isolation", "--requirement", REQUIREMENTS / "sam2.txt"]
    subprocess.run([*install, *sam2], check=True, env=environment)
    repaired = repair_cmake_files()
    say(f"    {repaired} CMake files of the ROS wheels now name this environment's Python and NumPy")
    write(PACKAGES_STAMP, wanted)


def pip_settings(environment: dict[str, str]) -> dict[str, str]:
    """uv's variables for the index and certificate that pip is configured with; uv itself reads no pip settings."""
    command = [PYTHON, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    # Lines such as global.index-url='https://...', and :env:.cert='...' for a variable of the environment.
    found = dict(re.findall(r"^[^.\n]+\.([a-z-]+)='(.*)'$", listing, re.MULTILINE))
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[option]: value for option, value in found.items() if option in names}


def repair_cmake_files() -> int:
    """Point exported CMake files at this environment; the wheels name /opt/python/... of the machine that built them.

    Returns:
        how many files were changed.
    """
    probe = "import numpy, sysconfig; print(sysconfig.get_paths()['include']); print(numpy.get_include())"
    include, numpy_include = subprocess.run(
        [PYTHON, "-c", probe], check=True, capture_output=True, text=True, env=clean_environment()
    ).stdout.splitlines()
    changed = 0
    for path in VENV.glob("share/*/cmake/*.cmake"):
        text = path.read_text()
        if "/opt/python/" not in text:
            continue
        text = re.sub(r"/opt/python/[^;\"]*?/site-packages/numpy/[^;\"]*?include", lambda _: numpy_include, text)
        text = re.sub(r"/opt/python/[^;\"]*?/include/python3\.\d+", lambda _: include, text)
        write(path, text)  # as a new file: the old one may be a hard link into uv's cache
        changed += 1
    return changed


def build() -> None:
    """Run `colcon build` where the messages, the build files or the list of installed files changed."""
    inputs = [ROOT / "CMakeLists.txt", ROOT / "package.xml", *sorted(ROOT.glob("msg/*.msg"))]
    folders = ("fastsam2_ros", "launch", "config", "scripts")
    listed = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    names = sorted(str(path.relative_to(ROOT)) for path in listed)  # their contents are linked, so they need no build
    wanted = digest(inputs, [*names, str(ROOT), read(PACKAGES_STAMP)])
    if read(BUILD_STAMP) == wanted:
        return
    say("3/3 colcon build")
    for folder in ("build", "install"):
        refresh(ROOT / folder)
    command = ["colcon", "--log-level", "error", "build", "--symlink-install", "--event-handlers", "status-"]
    subprocess.run([ROOT / "scripts" / "run", *command], check=True, cwd=ROOT, env=clean_environment())
    write(BUILD_STAMP, wanted)


def refresh(folder: Path) -> None:
    """Remove a build that was made elsewhere: CMake keeps absolute paths, and refuses a moved source folder."""
    cache = ROOT / "build" / "fastsam2_ros" / "CMakeCache.txt"
    if folder.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}\n" not in read(cache):
        shutil.rmtree(folder)


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would lead another Python or an active ROS into ours."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH")
    return {**{name: value for name, value in os.environ.items() if name not in unwanted}, **extra}


def digest(files: list[Path], words: list[str]) -> str:
    """SHA-256 over contents of files and further words."""
    parts = [path.read_bytes().hex() for path in files]
    return hashlib.sha256(json.dumps([parts, words]).encode()).hexdigest()


def read(path: Path) -> str:
    """The text of a file, empty where there is none."""
    return path.read_text() if path.is_file() else ""


def write(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def stop(text: str) -> None:
    """End with a message."""
    sys.exit(text)


if __name__ == "__main__":
    main()
