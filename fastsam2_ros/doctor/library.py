"""Python, torch, packages and weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata

from fastsam2_ros.config import MINI, MODELS, LanguageConfig, ModelConfig
from fastsam2_ros.doctor.findings import Finding, Verdict
from fastsam2_ros.errors import FastSam2Error

OLDEST, NEWEST = (3, 10), (3, 12)
_INSTALL = "pip install -r scripts/requirements/library.txt"
_INSTALL_SAM2 = "SAM2_BUILD_CUDA=0 pip install --no-build-isolation -r scripts/requirements/sam2.txt"


def python(version: Sequence[int] = tuple(sys.version_info[:3])) -> Finding:
    """The interpreter."""
    shown = ".".join(map(str, version[:3]))
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return Finding("Python", Verdict.GOOD, f"{shown}, {sys.executable}")
    return Finding("Python", Verdict.MISSING, shown, "make setup PYTHON=python3.12, or a virtual environment of one")


def packages(installed: Callable[[str], str] = metadata.version) -> Iterator[Finding]:
    """What the library's own metadata says that it needs, or what is known of it from its sources.

    Args:
        installed: gives a distribution's version; raises `PackageNotFoundError`.
    """
    for name in ("torch", "torchvision", "sam2", "open_clip_torch", "numpy", "opencv-python-headless", "rosbags", "av"):
        cure = _INSTALL_SAM2 if name == "sam2" else _INSTALL
        try:
            yield Finding(name, Verdict.GOOD, installed(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, Verdict.MISSING, "not installed", cure)


def gpu() -> Finding:
    """What torch computes on."""
    try:
        import torch
    except ImportError as error:
        return Finding("GPU", Verdict.MISSING, f"torch cannot be imported: {error}", _INSTALL)
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding("GPU", Verdict.GOOD, f"CUDA {torch.version.cuda}: {', '.join(names)}")
    if torch.version.cuda is None:
        return Finding("GPU", Verdict.OPTIONAL, "this torch is built without CUDA", "pip install torch (a CUDA build)")
    return Finding(
        "GPU", Verdict.OPTIONAL, "no CUDA device is seen; the CPU is used", "nvidia-smi tells whether the driver works"
    )


def weights(
    find_sam2: Callable[[ModelConfig], object] | None = None,
    find_clip: Callable[[LanguageConfig], object] | None = None,
) -> Iterator[Finding]:
    """Which models can be loaded without a network.

    Args:
        find_sam2, find_clip: raise `FastSam2Error` where the weights are not here; None: those of the library.
    """
    if find_sam2 is None or find_clip is None:
        from fastsam2_ros.language.weights import find
        from fastsam2_ros.streaming.checkpoints import find_checkpoint

        find_sam2, find_clip = find_sam2 or find_checkpoint, find_clip or find
    for name in MODELS:
        yield _weights(f"SAM 2 {name}", lambda name=name: find_sam2(ModelConfig(name=name)), name == MINI)  # type: ignore[misc]
    for name in MINI, MODELS[1]:
        language = LanguageConfig().suited(name)
        yield _weights(f"CLIP {language.name}", lambda language=language: find_clip(language), name == MINI)  # type: ignore[misc]


def _weights(what: str, find: Callable[[], object], shipped: bool) -> Finding:
    try:
        found = find()
    except FastSam2Error:
        if shipped:
            return Finding(
                what, Verdict.MISSING, "the files of this package are incomplete", "git lfs pull, or clone anew"
            )
        setting = "model.checkpoint" if what.startswith("SAM") else "language.weights"
        cure = f"its first start fetches it; or give a file as {setting}"
        return Finding(what, Verdict.OPTIONAL, "not in the Hugging Face cache", cure)
    return Finding(what, Verdict.GOOD, str(getattr(found, "checkpoint", found)))
