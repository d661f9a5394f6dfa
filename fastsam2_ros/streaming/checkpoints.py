"""Which file has the weights of SAM 2. Loads no torch for a file, and none for what comes with this package."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastsam2_ros.config import MODELS, UNTRAINED, ModelConfig
from fastsam2_ros.errors import ModelError, first_line
from fastsam2_ros.shipped import MINI_SAM2

HUB_IDS = {name: f"facebook/sam2.1-hiera-{name.replace('_', '-')}" for name in MODELS if name != "mini"}
"""Repositories of the released models, by name."""


def find_checkpoint(config: ModelConfig) -> Path:
    """The file of weights: the given one; else, for 'mini', the one that comes with this package; else the released one from
    huggingface_hub's cache or the hub.

    Raises:
        ModelError: no such file, not to be had, or not the file that `sha256` names.
    """
    if config.checkpoint:
        path = Path(config.checkpoint).expanduser()
        if not path.is_file():
            raise ModelError(
                f"There is no checkpoint file {path}. Give the path of a .pt or .safetensors file as model.checkpoint, "
                "or leave it empty for the released weights."
            )
    elif config.name in HUB_IDS:
        path = _download(HUB_IDS[config.name], config.revision)
    elif config.name == "mini" and MINI_SAM2.is_file():
        path = MINI_SAM2
    else:
        raise ModelError(
            f"SAM 2 {config.name!r} has no released weights. Give a file as model.checkpoint, "
            f"'{UNTRAINED}' to try the plumbing with random weights, or take another of {', '.join(HUB_IDS)}."
        )
    if config.sha256:
        _check_sha256(path, config.sha256)
    return path


def _download(repository: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

    filename = HF_MODEL_ID_TO_FILENAMES[repository][1]
    try:
        return Path(hf_hub_download(repository, filename, revision=revision or None))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        at = f" at revision {revision}" if revision else ""
        raise ModelError(
            f"{filename} of {repository}{at} is neither in the Hugging Face cache nor to be downloaded ({first_line(error)}). "
            "Either run once with a network, or copy the file here and give its path as model.checkpoint."
        ) from error


def _check_sha256(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != expected.strip().lower():
        raise ModelError(
            f"{path} has SHA-256 {digest.hexdigest()}, but model.sha256 is {expected}. "
            "It is another file, or damaged: fetch it again, or correct model.sha256."
        )
