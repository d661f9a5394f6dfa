"""Real loading code on checkpoint files that the tests write, and what is said of bad ones."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import cpu_features, loading
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.torch_settings import neutral_torch


@pytest.fixture(scope="module")
def mini_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return loading.build(loading.find_config("mini")).state_dict()


@pytest.fixture(scope="module")
def mini_file(mini_state, tmp_path_factory):
    """As the released checkpoints are: a dict with the tensors under 'model'."""
    path = tmp_path_factory.mktemp("weights") / "mini.pt"
    torch.save({"model": mini_state}, path)
    return path


def weights_of(loaded):
    return loaded.streaming.model.state_dict()


@pytest.mark.parametrize("form", ["pt", "plain pt", "safetensors"])
def test_every_form_of_a_checkpoint_loads(form, mini_state, mini_file, tmp_path):
    path = mini_file
    if form == "plain pt":
        path = tmp_path / "plain.pt"
        torch.save(mini_state, path)
    elif form == "safetensors":
        path = tmp_path / "mini.safetensors"
        save_file({key: value.contiguous() for key, value in mini_state.items()}, path)
    loaded = loading.load_sam2(ModelConfig(name="mini", checkpoint=str(path), device="cpu"))
    assert not loaded.untrained
    assert all(torch.equal(value, mini_state[key]) for key, value in weights_of(loaded).items())


@pytest.mark.parametrize("name", ["tiny", "small", "base_plus", "large"])
def test_released_configurations_are_found(name):
    assert loading.find_config(name).is_file()


def test_a_released_checkpoint_by_its_official_name_and_keys(tmp_path, monkeypatch):
    """What the hub gives is asked for by upstream's own repository and file name, and loads."""
    state = loading.build(loading.find_config("tiny")).state_dict()
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": state}, path)
    asked = []

    def download(repository, filename, revision=None):
        asked.append((repository, filename, revision))
        return str(path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    loaded = loading.load_sam2(ModelConfig(name="tiny", revision="abc", device="cpu", backend="torch"))
    assert asked == [("facebook/sam2.1-hiera-tiny", "sam2.1_hiera_tiny.pt", "abc")]
    assert torch.equal(weights_of(loaded)["maskmem_tpos_enc"], state["maskmem_tpos_enc"])
    assert loaded.streaming.token_count == 4096


def test_untrained_weights_follow_their_seed_and_leave_torchs_own_random_state():
    before = torch.random.get_rng_state()
    one, two, other = (
        weights_of(loading.load_sam2(ModelConfig(name="mini", checkpoint="untrained", device="cpu", seed=seed)))
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    key = "image_encoder.trunk.model.conv_stem.weight"
    assert torch.equal(one[key], two[key])
    assert not torch.equal(one[key], other[key])


def refused(**settings) -> str:
    with pytest.raises(ModelError) as caught:
        loading.load_sam2(ModelConfig(**{"name": "mini", "device": "cpu", **settings}))
    return str(caught.value)


def test_an_unknown_name():
    message = refused(name="huge", checkpoint="untrained")
    assert "huge" in message
    assert "base_plus" in message


def test_a_missing_file():
    message = refused(checkpoint="/nowhere/weights.pt")
    assert "/nowhere/weights.pt" in message
    assert "model.checkpoint" in message


def test_a_truncated_file(mini_file, tmp_path):
    path = tmp_path / "half.pt"
    path.write_bytes(mini_file.read_bytes()[:100_000])
    message = refused(checkpoint=str(path))
    assert "half.pt" in message
    assert "damaged" in message


def test_a_truncated_safetensors_file(tmp_path):
    path = tmp_path / "half.safetensors"
    save_file({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:500])
    assert "damaged" in refused(checkpoint=str(path))


def test_a_file_that_would_run_code_does_not(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "trap.pt"
    path.write_bytes(pickle.dumps({"model": Trap()}))
    assert "trap.pt" in refused(checkpoint=str(path))
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_size_is_named(mini_file):
    message = refused(name="tiny", checkpoint=str(mini_file))
    assert "'tiny'" in message
    assert "looks like 'mini'" in message


def test_the_wrong_digest_is_refused_and_the_right_one_accepted(mini_file):
    digest = hashlib.sha256(mini_file.read_bytes()).hexdigest()
    assert "SHA-256" in refused(checkpoint=str(mini_file), sha256="0" * 64)
    loading.load_sam2(ModelConfig(name="mini", checkpoint=str(mini_file), sha256=digest.upper(), device="cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_cuda_where_there_is_none():
    message = refused(checkpoint="untrained", device="cuda")
    assert "CUDA" in message
    assert "cpu" in message


@pytest.mark.parametrize(
    ("name", "has_bf16", "precision"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("fp16", True, torch.float16),
        ("fp16", False, torch.float16),
        ("fp32", True, torch.float32),
    ],
)
def test_the_precision_on_a_gpu(monkeypatch, name, has_bf16, precision):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: has_bf16)
    assert loading.find_precision(name, torch.device("cuda")) == precision


def test_bf16_on_a_gpu_that_lacks_it_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    with pytest.raises(ModelError, match=r"Tesla T4.*fp16"):
        loading.find_precision("bf16", torch.device("cuda"))


def test_fp16_on_a_cpu_is_refused():
    message = refused(checkpoint="untrained", device="cpu", precision="fp16")
    assert "fp16" in message
    assert "fp32" in message


def test_a_device_that_is_none():
    assert "gpu9" in refused(checkpoint="untrained", device="gpu9")


def test_a_device_that_holds_nothing():
    assert "'meta', which cannot be used" in refused(checkpoint="untrained", device="meta")


def test_no_network_and_no_file_tells_both_ways_out(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    message = refused(name="tiny")
    assert "network" in message
    assert "model.checkpoint" in message


@pytest.mark.parametrize(
    "content",
    [b"root:x:0:0:root:/root:/bin/bash\n", b"", b"\x80", b"\x80\x02.", b".", b"PK\x03\x04", b"\x00" * 100, b"(lp0\n"],
)
@pytest.mark.parametrize("suffix", ["", ".pt", ".safetensors"])
def test_any_file_that_is_no_checkpoint_is_one_line(tmp_path, content, suffix):
    path = tmp_path / f"passwd{suffix}"
    path.write_bytes(content)
    message = refused(checkpoint=str(path))
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize("size", [128, 250, 300, 512 + 16])
def test_a_size_that_the_encoder_cannot_take(size):
    with pytest.raises(ModelError, match=f"image_size is {size}; it must be 0 or a multiple of 32 from 256 on"):
        loading.load_sam2(ModelConfig(checkpoint="untrained", device="cpu", image_size=size))


@pytest.mark.parametrize(("name", "size"), [("mini", 288), ("tiny", 256)])
def test_frames_are_tracked_at_another_size(name, size):
    """Grid, positions, prompts and memory are of that size."""
    sam = loading.load_sam2(ModelConfig(name=name, checkpoint="untrained", device="cpu", image_size=size)).streaming
    features = sam.encode(np.zeros((30, 40, 3), np.uint8))
    side = size // 16
    assert (features.grid, features.tokens.shape[0]) == ((side, side), side * side)
    memory = sam.new_memory()
    prompt = Prompt.from_box((5.0, 5.0, 20.0, 20.0))
    sam.remember_prompt(features, sam.decode_prompt(features, prompt), memory, 0)
    decoded = sam.decode(features, sam.condition(features, [memory], 1, [None]))
    sam.remember(features, decoded, [memory], 1)
    assert decoded.low_res.shape == (1, 1, 4 * side, 4 * side)
    assert [len(frame.tokens) for frame, _ in memory.frames(2)] == [side * side] * 2


def test_the_same_weights_are_good_for_every_size(mini_file):
    small = loading.load_sam2(ModelConfig(checkpoint=str(mini_file), device="cpu", image_size=256))
    whole = loading.load_sam2(ModelConfig(checkpoint=str(mini_file), device="cpu"))
    states = weights_of(small), weights_of(whole)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


@pytest.mark.parametrize(
    ("given", "has_bf16", "precision"),
    [
        ({}, True, torch.bfloat16),
        ({}, False, torch.float32),
        ({"precision": "fp32"}, True, torch.float32),
        ({"backend": "openvino"}, True, torch.bfloat16),
        ({"backend": "openvino"}, False, torch.float32),
        ({"backend": "onnxruntime"}, True, torch.float32),
    ],
)
def test_the_precision_of_what_a_backend_computes_on_a_cpu(monkeypatch, given, has_bf16, precision):
    monkeypatch.setattr("fastsam2_ros.streaming.cpu_features.openvino_has_bf16", lambda: has_bf16)
    assert loading.exported_precision(ModelConfig(**given), torch.float32) == precision


def test_the_precision_of_what_a_backend_computes_on_a_gpu_is_that_of_the_rest(monkeypatch):
    monkeypatch.setattr("fastsam2_ros.streaming.cpu_features.openvino_has_bf16", lambda: True)
    assert loading.exported_precision(ModelConfig(), torch.bfloat16) == torch.bfloat16
    assert (
        loading.exported_precision(ModelConfig(backend="onnxruntime", precision="fp16"), torch.float16) == torch.float16
    )


def test_both_sizes_are_exported_in_bf16_and_torch_computes_the_rest_in_fp32(monkeypatch, mini_file):
    asked = []
    monkeypatch.setattr("fastsam2_ros.streaming.cpu_features.openvino_has_bf16", lambda: True)
    monkeypatch.setattr(loading, "find_parts", lambda _, model, precision, settings: asked.append(precision))
    loaded = loading.load_sam2(ModelConfig(checkpoint=str(mini_file), device="cpu", small_image_size=256))
    assert asked == [torch.bfloat16] * 2
    assert {loaded.streaming.precision, loaded.small.precision} == {torch.float32}


def test_small_frames_have_the_same_tensors(mini_file):
    loaded = loading.load_sam2(ModelConfig(checkpoint=str(mini_file), device="cpu", small_image_size=256))
    assert (loaded.streaming.grid, loaded.small.grid, loaded.small_side) == ((32, 32), (16, 16), 0.5)
    large, small = (dict(sam.model.named_parameters()) for sam in (loaded.streaming, loaded.small))
    assert all(small[name] is tensor for name, tensor in large.items())


def test_without_a_small_size_there_are_no_small_frames():
    loaded = loading.load_sam2(ModelConfig(checkpoint="untrained", device="cpu"))
    assert (loaded.small, loaded.small_side) == (None, 1.0)


@pytest.mark.parametrize(("size", "message"), [(300, "multiple of 32 from 256 on"), (512, "below the image size, 512")])
def test_small_frames_of_a_size_that_cannot_be(size, message):
    """Told before a checkpoint is looked for, and maybe downloaded."""
    with pytest.raises(ModelError, match=f"model.small_image_size is {size}; it must be .*{message}"):
        loading.load_sam2(ModelConfig(checkpoint="/nowhere.pt", device="cpu", small_image_size=size))


def test_in_bf16_weights_are_held_in_it_and_give_what_they_gave(noise_frame):
    """The finest maps are of weights that are multiplied with one another, rounded before or after; the rest to the bit."""
    given = {"checkpoint": "untrained", "device": "cpu", "backend": "torch", "image_size": 256}
    if not cpu_features.has_bf16():
        pytest.skip("this CPU has no bf16")
    ours = loading.load_sam2(ModelConfig(precision="bf16", **given)).streaming
    theirs = StreamingSam2(loading.load_sam2(ModelConfig(precision="fp32", **given)).streaming.model, torch.bfloat16)
    assert ours.model.sam_mask_decoder.conv_s0.weight.dtype == torch.bfloat16
    assert theirs.model.sam_mask_decoder.conv_s0.weight.dtype == torch.float32
    with neutral_torch():
        mine, other = ours.encode(noise_frame), theirs.encode(noise_frame)
        assert torch.equal(mine.tokens, other.tokens)
        assert all((a - b).abs().max() <= 2**-6 * b.abs().max() for a, b in zip(mine.maps, other.maps, strict=True))
        decoded = [sam.decode(other, other.tokens[None]) for sam in (ours, theirs)]
        assert torch.equal(decoded[0].low_res, decoded[1].low_res)
        memories = [sam.new_memory() for sam in (ours, theirs)]
        for sam, memory in zip((ours, theirs), memories, strict=True):
            sam.remember(other, decoded[1], [memory], 0)
        assert torch.equal(memories[0].recent[0].features, memories[1].recent[0].features)


def test_both_sizes_of_frames_share_the_weights_that_are_held_in_bf16():
    if not cpu_features.has_bf16():
        pytest.skip("this CPU has no bf16")
    sizes = {"image_size": 512, "small_image_size": 256}
    loaded = loading.load_sam2(
        ModelConfig(checkpoint="untrained", device="cpu", backend="torch", precision="bf16", **sizes)
    )
    weights = [sam.model.sam_mask_decoder.conv_s0.weight for sam in (loaded.streaming, loaded.small)]
    assert weights[0].data_ptr() == weights[1].data_ptr()
    assert weights[1].dtype == torch.bfloat16
