from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from fastsam2_ros.config import UNTRAINED, ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.backends.cache import cache_folder
from fastsam2_ros.streaming.backends.choice import find_encoder, weights_digest
from fastsam2_ros.streaming.configuration import read_model
from fastsam2_ros.streaming.model import StreamingSam2

CPU = torch.device("cpu")
SETTINGS = read_model(loading.find_config("mini"))
MODULES = {"openvino": ["openvino"], "onnxruntime": ["onnxruntime", "onnxscript"]}


def small(seed: int = 0, **overrides: object):
    """mini with random weights, for images of 128 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return loading.build(loading.find_config("mini"), {"image_size": 128, **overrides})


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("backend", MODULES)
def test_a_backend_gives_what_torch_gives(backend: str, model) -> None:
    for module in MODULES[backend]:
        pytest.importorskip(module)
    encoder = find_encoder(ModelConfig(backend=backend), model, torch.float32, SETTINGS)
    frames = [np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8) for seed in range(2)]
    expected = StreamingSam2(model).encode_batch(frames)
    # From the cache this time, and one of them alone.
    again = find_encoder(ModelConfig(backend=backend), model, torch.float32, SETTINGS)
    results = [
        StreamingSam2(model, encoder=encoder).encode_batch(frames),
        [None, StreamingSam2(model, encoder=again).encode(frames[1])],
    ]
    for row, result in ((0, results[0][0]), (1, results[0][1]), (1, results[1][1])):
        for ours, theirs in zip(
            (*result.maps, result.tokens, *result.trunk_maps),
            (*expected[row].maps, expected[row].tokens, *expected[row].trunk_maps),
            strict=True,
        ):
            assert ours.shape == theirs.shape
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()
        assert len(result.trunk_maps) == 4, "mini's CLIP takes them"


def test_torch_needs_no_export(model) -> None:
    assert find_encoder(ModelConfig(backend="auto"), model, torch.float32, SETTINGS) is None
    assert find_encoder(ModelConfig(backend="torch"), model, torch.bfloat16, SETTINGS) is None


@pytest.mark.parametrize("backend", MODULES)
def test_a_missing_package_is_told_with_its_extra(backend: str, model, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("fastsam2_ros.streaming.backends.o")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, MODULES[backend][0], None)
    with pytest.raises(ModelError, match=rf"pip install 'fastsam2_ros\[{backend}\]'"):
        find_encoder(ModelConfig(backend=backend), model, torch.float32, SETTINGS)


@pytest.mark.parametrize("backend", MODULES)
def test_another_precision_is_refused(backend: str, model) -> None:
    with pytest.raises(ModelError, match=f"{backend} computes in fp32 on cpu"):
        find_encoder(ModelConfig(backend=backend), model, torch.bfloat16, SETTINGS)


def test_a_neck_of_another_shape_is_refused() -> None:
    model = small()
    model.image_encoder.neck.fuse_type = "avg"
    with pytest.raises(ModelError, match="set it to torch"):
        find_encoder(ModelConfig(backend="openvino"), model, torch.float32, SETTINGS)


def test_the_digest_is_of_the_weights(model) -> None:
    assert weights_digest(model) == weights_digest(small())
    assert weights_digest(model) != weights_digest(small(seed=1))


def tokens(file: Path, backend: str) -> torch.Tensor:
    """Of a frame, by a model of random weights for images of 256 pixels."""
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    config = ModelConfig(str(file), UNTRAINED, device="cpu", image_size=256, backend=backend)
    return loading.load_sam2(config).streaming.encode(frame).tokens


def test_another_setting_without_weights_is_another_export(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    content = yaml.safe_load(loading.find_config("mini").read_text())
    file = tmp_path / "model.yaml"
    for mode in ("nearest", "bilinear"):
        content["model"]["image_encoder"]["neck"]["fpn_interp_model"] = mode
        file.write_text(yaml.safe_dump(content))
        expected = tokens(file, "torch")
        assert (tokens(file, "openvino") - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_the_export_of_a_file_s_model_has_its_name_and_is_in_the_cache(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    file = tmp_path / "my model.yaml"
    shutil.copyfile(loading.find_config("mini"), file)
    tokens(file, "openvino")
    assert [each.name[:18] for each in cache_folder().iterdir()] == ["my-model-openvino-"]
