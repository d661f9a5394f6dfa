from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.backends.choice import find_encoder, weights_digest
from fastsam2_ros.streaming.model import StreamingSam2

CPU = torch.device("cpu")
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
    encoder = find_encoder(ModelConfig(backend=backend), model, torch.float32)
    frames = [np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8) for seed in range(2)]
    expected = StreamingSam2(model).encode_batch(frames)
    # From the cache this time, and one of them alone.
    again = find_encoder(ModelConfig(backend=backend), model, torch.float32)
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
    assert find_encoder(ModelConfig(backend="auto"), model, torch.float32) is None
    assert find_encoder(ModelConfig(backend="torch"), model, torch.bfloat16) is None


@pytest.mark.parametrize("backend", MODULES)
def test_a_missing_package_is_told_with_its_extra(backend: str, model, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("fastsam2_ros.streaming.backends.o")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, MODULES[backend][0], None)
    with pytest.raises(ModelError, match=rf"pip install 'fastsam2_ros\[{backend}\]'"):
        find_encoder(ModelConfig(backend=backend), model, torch.float32)


@pytest.mark.parametrize("backend", MODULES)
def test_another_precision_is_refused(backend: str, model) -> None:
    with pytest.raises(ModelError, match=f"{backend} computes in fp32 on cpu"):
        find_encoder(ModelConfig(backend=backend), model, torch.bfloat16)


def test_a_neck_of_another_shape_is_refused() -> None:
    model = small()
    model.image_encoder.neck.fuse_type = "avg"
    with pytest.raises(ModelError, match="set it to torch"):
        find_encoder(ModelConfig(backend="openvino"), model, torch.float32)


def test_the_digest_is_of_the_weights(model) -> None:
    assert weights_digest(model) == weights_digest(small())
    assert weights_digest(model) != weights_digest(small(seed=1))
