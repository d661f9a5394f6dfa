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
from fastsam2_ros.streaming import cpu_features, loading
from fastsam2_ros.streaming.backends import choice
from fastsam2_ros.streaming.backends.cache import cache_folder
from fastsam2_ros.streaming.backends.choice import find_parts, weights_digest
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
    parts = find_parts(ModelConfig(backend=backend), model, torch.float32, SETTINGS)
    frames = [np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8) for seed in range(2)]
    expected = StreamingSam2(model).encode_batch(frames)
    # From the cache this time, and one of them alone.
    again = find_parts(ModelConfig(backend=backend), model, torch.float32, SETTINGS)
    results = [
        StreamingSam2(model, parts=parts).encode_batch(frames),
        [None, StreamingSam2(model, parts=again).encode(frames[1])],
    ]
    for row, result in ((0, results[0][0]), (1, results[0][1]), (1, results[1][1])):
        for ours, theirs in zip(
            (*result.maps, result.tokens), (*expected[row].maps, expected[row].tokens), strict=True
        ):
            assert ours.shape == theirs.shape
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def close(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= 1e-4 * theirs.abs().max())


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("backend", MODULES)
def test_a_backend_tracks_as_torch_does(backend: str, targets: int, model) -> None:
    """Masks, scores and pointers of one frame from the same conditioned features, and what is remembered of it."""
    for module in MODULES[backend]:
        pytest.importorskip(module)
    theirs = StreamingSam2(model)
    ours = StreamingSam2(model, parts=find_parts(ModelConfig(backend=backend), model, torch.float32, SETTINGS))
    features = theirs.encode(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8))
    generator = torch.Generator().manual_seed(0)
    conditioned = torch.randn(targets, theirs.token_count, model.hidden_dim, generator=generator)
    decoded, expected = ours.decode(features, conditioned), theirs.decode(features, conditioned)
    for name in ("low_res", "high_res", "predicted_iou", "object_score", "pointer"):
        assert close(getattr(decoded, name), getattr(expected, name)), name
    memories = {sam: [sam.new_memory() for _ in range(targets)] for sam in (ours, theirs)}
    for sam, own in memories.items():
        sam.remember(features, expected, own, 0)
    for mine, other in zip(memories[ours], memories[theirs], strict=True):
        # Both are rounded to bf16.
        difference = (mine.recent[0].features.float() - other.recent[0].features.float()).abs().max()
        assert difference <= 2**-7 * other.recent[0].features.float().abs().max()


def test_torch_needs_no_export(model) -> None:
    assert find_parts(ModelConfig(backend="torch"), model, torch.bfloat16, SETTINGS) is None


def test_auto_is_openvino_where_it_is_installed(model) -> None:
    pytest.importorskip("openvino")
    assert find_parts(ModelConfig(backend="auto"), model, torch.float32, SETTINGS) is not None
    assert [each.name[:14] for each in cache_folder().iterdir()] == ["mini-openvino-"]


def test_auto_is_torch_where_nothing_else_is_installed(model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    assert find_parts(ModelConfig(backend="auto"), model, torch.float32, SETTINGS) is None


def test_auto_is_torch_for_random_weights(model) -> None:
    assert find_parts(ModelConfig(checkpoint=UNTRAINED), model, torch.float32, SETTINGS) is None


def test_auto_is_torch_where_openvino_fails_and_says_so(model, monkeypatch, caplog) -> None:
    pytest.importorskip("openvino")

    def fail(*_: object) -> None:
        raise ModelError("No room.")

    monkeypatch.setattr(choice, "load_cached", fail)
    assert find_parts(ModelConfig(), model, torch.float32, SETTINGS) is None
    assert caplog.messages == ["model.backend auto: torch computes all, and not openvino. No room."]


def test_openvino_encodes_in_bf16_where_that_is_asked_for_and_decodes_in_fp32(model) -> None:
    """bf16's rounding is far above fp32's."""
    pytest.importorskip("openvino")
    if not cpu_features.has_bf16():
        pytest.skip("this CPU has no bf16")
    parts = find_parts(ModelConfig(backend="openvino"), model, torch.bfloat16, SETTINGS)
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    expected = StreamingSam2(model).encode(frame).tokens
    difference = (StreamingSam2(model, parts=parts).encode(frame).tokens - expected).abs().max() / expected.abs().max()
    assert 1e-4 < difference < 0.1
    features = StreamingSam2(model).encode(frame)
    theirs = StreamingSam2(model).decode(features, features.tokens[None])
    decoded = StreamingSam2(model, parts=parts).decode(features, features.tokens[None])
    assert close(decoded.low_res, theirs.low_res)


def test_an_export_is_for_every_precision(model, caplog) -> None:
    pytest.importorskip("openvino")
    if not cpu_features.has_bf16():
        pytest.skip("this CPU has no bf16")
    for precision in (torch.float32, torch.bfloat16):
        find_parts(ModelConfig(backend="openvino"), model, precision, SETTINGS)
    assert len(list(cache_folder().iterdir())) == len(caplog.messages) == 1  # that it is exported


@pytest.mark.parametrize("backend", MODULES)
def test_a_missing_package_is_told_with_its_extra(backend: str, model, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("fastsam2_ros.streaming.backends.o")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, MODULES[backend][0], None)
    with pytest.raises(ModelError, match=rf"pip install 'fastsam2_ros\[{backend}\]'"):
        find_parts(ModelConfig(backend=backend), model, torch.float32, SETTINGS)


@pytest.mark.parametrize(
    ("backend", "precision", "able"),
    [
        ("openvino", torch.float16, "fp32 or bf16"),
        ("onnxruntime", torch.float16, "fp32"),
        ("onnxruntime", torch.bfloat16, "fp32"),
    ],
)
def test_another_precision_is_refused(backend: str, precision: torch.dtype, able: str, model) -> None:
    with pytest.raises(ModelError, match=f"{backend} computes in {able} on cpu"):
        find_parts(ModelConfig(backend=backend), model, precision, SETTINGS)


def test_a_neck_of_another_shape_is_refused() -> None:
    model = small()
    model.image_encoder.neck.fuse_type = "avg"
    with pytest.raises(ModelError, match="set it to torch"):
        find_parts(ModelConfig(backend="openvino"), model, torch.float32, SETTINGS)
    assert find_parts(ModelConfig(), model, torch.float32, SETTINGS) is None


def test_the_digest_is_of_the_weights(model) -> None:
    assert weights_digest(model) == weights_digest(small())
    assert weights_digest(model) != weights_digest(small(seed=1))


def tokens(file: Path, backend: str) -> torch.Tensor:
    """Of a frame, by a model of random weights for images of 256 pixels."""
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    config = ModelConfig(str(file), UNTRAINED, device="cpu", precision="fp32", image_size=256, backend=backend)
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
