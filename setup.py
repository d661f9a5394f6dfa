"""`pip install .`: the library, the `fastsam2` command and the share/ files. The messages are built by colcon."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "fastsam2_ros"
ROOT = Path(__file__).resolve().parent


def requirements(name: str) -> list[str]:
    """The lines of scripts/requirements/<name>.txt without comments."""
    lines = (ROOT / "scripts" / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def files(pattern: str) -> list[str]:
    """Paths from the root, as setuptools wants them."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern) if path.is_file())


version = re.search(r'__version__ = "(.+)"', (ROOT / NAME / "__init__.py").read_text())[1]
readme = ROOT / "README.md"

setup(
    name=NAME,
    version=version,
    description="Tracks what a text describes: SAM 2 with text-driven token pruning, for ROS 2",
    long_description=readme.read_text() if readme.is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    install_requires=[*requirements("library"), *requirements("sam2")],
    extras_require={
        **{name: requirements(name) for name in ("lab", "ray", "openvino")},
        "onnxruntime": requirements("extra/onnxruntime"),
    },
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["*.yaml", "*.json", "*.safetensors", "py.typed"]},
    entry_points={"console_scripts": [f"fastsam2 = {NAME}.cli:main"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch/*.py")),
        (f"share/{NAME}/config", files("config/*")),
        (f"share/{NAME}/msg", files("msg/*.msg")),
        (f"share/{NAME}/action", files("action/*.action")),
        (f"lib/{NAME}", ["scripts/fastsam2", "scripts/fastsam2_tracker"]),
    ],
)
