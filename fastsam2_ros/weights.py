"""Checkpoint files, read without executing anything in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from fastsam2_ros.errors import ModelError, first_line


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A file's tensors by name: safetensors, or what torch's `weights_only` loader admits.

    A "model" (SAM 2's releases) or "state_dict" around them is taken off, and a "module." before their names.

    Raises:
        ModelError: damaged, or it holds more than tensors, or none.
    """
    try:
        safe = path.suffix == ".safetensors"
        content: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what is raised over a damaged file, or one that is none, depends on its bytes
        raise ModelError(
            f"The weights {path} cannot be read: the file is damaged, or holds more than plain tensors (only those are "
            f"loaded, since anything else can run code). Fetch it again, or save it as .safetensors. ({first_line(error)})"
        ) from error
    for wrapper in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content or not all(isinstance(each, Tensor) for each in content.values()):
        raise ModelError(f"The weights {path} hold no tensors by name.")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}
