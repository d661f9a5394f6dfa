"""Start values that match."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.lab.training import imagenet
from fastsam2_ros.lab.training.start import MATCHED, start
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt

SIDE = 512


def pictures(count: int, side: int) -> torch.Tensor:
    """Smooth colourful noise: float32 (count, 3, side, side)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(count, 3, side // 16, side // 16, generator=generator)
    return F.interpolate(coarse, (side, side), mode="bicubic")


@pytest.fixture(scope="module")
def streaming():
    torch.manual_seed(0)
    model = loading.build(loading.find_config("mini"))
    masks = (pictures(8, 128)[:, :1] > 0).float()
    start(model, imagenet.package_file(), pictures(8, 128), masks)
    return StreamingSam2(model)


@pytest.fixture(scope="module")
def frame():
    image = pictures(1, SIDE)[0]
    return ((image / image.abs().max() + 1) * 127).permute(1, 2, 0).byte().numpy()


@pytest.fixture(scope="module")
def scene(streaming, frame):
    """Features of a frame, and a memory of its left half."""
    mask = torch.zeros(frame.shape[:2], dtype=torch.bool).numpy()
    mask[:, : SIDE // 2] = True
    features = streaming.encode(frame)
    memory = streaming.new_memory()
    streaming.remember_prompt(features, streaming.decode_prompt(features, Prompt.from_mask(mask)), memory, 0)
    return features, memory


@torch.inference_mode()
def attention_of(streaming, features, memory):
    """(N, N), of the first layer over the memory's one frame."""
    layer = streaming.model.memory_attention.layers[0]
    cross = layer.cross_attn_image
    captured = {}

    def capture(name):
        return lambda _module, _inputs, output: captured.update({name: output})

    handles = [getattr(cross, name).register_forward_hook(capture(name)) for name in ("q_proj", "k_proj")]
    streaming.condition(features, [memory], 1, [None])
    for handle in handles:
        handle.remove()
    count = streaming.token_count
    return captured["q_proj"][0], captured["k_proj"][0, :count]


def test_a_place_finds_itself_in_memory(streaming, scene):
    query, key = attention_of(streaming, *scene)
    # Without the rotary encoding: by the look alone.
    same = (query @ key.T).argmax(1) == torch.arange(streaming.token_count)
    assert same.float().mean() > 0.9


def test_memory_holds_the_look_normalised(scene):
    _, memory = scene
    looks = memory.prompts[0].features.float()[:, :MATCHED].norm(dim=1)
    assert looks.std() < 0.3 * looks.mean()


def test_memory_tells_inside_from_outside(streaming, scene):
    _, memory = scene
    said = memory.prompts[0].features.float()[:, MATCHED:].unflatten(0, streaming.grid)
    inside, outside = said[4:-4, 4:12].flatten(0, 1), said[4:-4, -12:-4].flatten(0, 1)
    assert (inside.mean(0) - outside.mean(0)).norm() > 3 * inside.std(0).norm()


def test_parts_of_an_older_model_are_taken(tmp_path):
    torch.manual_seed(1)
    older = loading.build(loading.find_config("mini"))
    torch.save(older.state_dict(), tmp_path / "older.pt")
    model = loading.build(loading.find_config("mini"))
    start(model, imagenet.package_file(), pictures(4, 128), torch.ones(4, 1, 128, 128), tmp_path / "older.pt")
    taken = [module.sam_prompt_encoder.mask_downscaling[0].weight for module in (model, older)]
    assert torch.equal(*taken)
