"""The classifier's weights, by their order."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import timm
import torch

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.training import imagenet

NAME = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return timm.create_model(NAME, pretrained=False)


def written(path, state) -> OrderedDict:
    """Under names that nobody knows, in the model's order."""
    renamed = OrderedDict((f"other.{place}", tensor) for place, tensor in enumerate(state.values()))
    torch.save(renamed, path)
    return renamed


def test_other_names_in_the_same_order_fit(model, tmp_path):
    written(tmp_path / "weights.pth", model.state_dict())
    loaded = imagenet.load(tmp_path / "weights.pth", NAME).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())


def test_another_number_of_tensors_is_refused(model, tmp_path):
    state = dict(list(model.state_dict().items())[:-1])
    written(tmp_path / "weights.pth", state)
    with pytest.raises(InputError, match="another model's"):
        imagenet.load(tmp_path / "weights.pth", NAME)


def test_a_tensor_of_another_shape_is_named(model, tmp_path):
    state = dict(model.state_dict())
    state["classifier.bias"] = torch.zeros(7)
    written(tmp_path / "weights.pth", state)
    with pytest.raises(InputError, match=r"\(7,\).*classifier\.bias"):
        imagenet.load(tmp_path / "weights.pth", NAME)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"weights\.pth"):
        imagenet.load(tmp_path / "weights.pth", NAME)
