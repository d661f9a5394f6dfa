"""A small open_clip model on disk: its JSON file, and checkpoints of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language.clip import Clip

ARCHITECTURE = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model():
    """The open_clip model itself, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return open_clip.CLIP(**ARCHITECTURE).eval()


@pytest.fixture(scope="session")
def files(tmp_path_factory, model) -> Path:
    """A folder with small.json, small.safetensors and small.pt (a state dict inside a training checkpoint)."""
    folder = tmp_path_factory.mktemp("clip")
    (folder / "small.json").write_text(json.dumps(ARCHITECTURE))
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "small.safetensors")
    training = {"epoch": 3, "state_dict": {"module." + name: tensor for name, tensor in state.items()}}
    torch.save(training, folder / "small.pt")
    return folder


@pytest.fixture(scope="session")
def config(files) -> LanguageConfig:
    return LanguageConfig(name=str(files / "small.json"), weights=str(files / "small.safetensors"), image_size=128)


@pytest.fixture(scope="session")
def clip(config) -> Clip:
    return Clip.load(config, torch.device("cpu"))
