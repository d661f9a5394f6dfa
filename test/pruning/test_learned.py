"""The learned router and its file."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from fastsam2_ros.errors import ModelError
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.pruning.learned import LearnedRouter, load, metadata

WIDTH = 16


def save(path, said=None, router=None):
    router = router or LearnedRouter(WIDTH)
    save_file(router.state_dict(), path, metadata("mini", WIDTH) if said is None else said)
    return path


def test_is_small():
    assert 2_000 < sum(p.numel() for p in LearnedRouter(256).parameters()) < 50_000


def test_learns_what_tokens_and_cues_tell():
    """Positive where one channel and one cue are both high: neither tells it alone."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(4, 1, 256, WIDTH, generator=generator)
    maps = torch.rand(4, 2, len(CUES), 256, generator=generator)
    labels = ((tokens[..., 3] > 0) & (maps[:, :, 1] > 0.5)).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        router = LearnedRouter(WIDTH)
    optimizer = torch.optim.Adam(router.parameters(), lr=2e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(router(tokens, maps), labels).backward()
        optimizer.step()
    assert ((router(tokens, maps) > 0) == labels.bool()).float().mean() > 0.95


def test_a_cue_that_was_never_seen_has_no_effect():
    router = LearnedRouter(WIDTH).requires_grad_(False)
    tokens = torch.randn(8, WIDTH)
    assert torch.equal(router(tokens, torch.zeros(1, len(CUES), 8)), router(tokens, torch.ones(1, len(CUES), 8)))


def test_all_targets_at_once_equal_one_after_the_other():
    router = LearnedRouter(WIDTH).requires_grad_(False)
    torch.nn.init.normal_(router.of_cues.weight)
    tokens, maps = torch.randn(8, WIDTH), torch.rand(3, len(CUES), 8)
    assert torch.allclose(router(tokens, maps), torch.cat([router(tokens, each[None]) for each in maps]), atol=1e-6)


@pytest.mark.parametrize(("targets", "count"), [(0, 8), (1, 1)])
def test_no_target_and_one_token(targets, count):
    assert LearnedRouter(WIDTH)(torch.randn(count, WIDTH), torch.rand(targets, len(CUES), count)).shape == (
        targets,
        count,
    )


def test_comes_back_from_its_file(tmp_path):
    router = LearnedRouter(WIDTH)
    loaded = load(save(tmp_path / "router.safetensors", router=router), "mini", WIDTH)
    tokens, maps = torch.randn(8, WIDTH), torch.rand(1, len(CUES), 8)
    assert torch.equal(loaded(tokens, maps), router(tokens, maps))
    assert not loaded(tokens, maps).requires_grad


def test_a_configuration_file_stands_for_its_name(tmp_path):
    path = save(tmp_path / "router.safetensors", metadata("somewhere/own.yaml", WIDTH))
    assert load(path, "elsewhere/own.yaml", WIDTH).width == WIDTH


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"width": "256"}, "token width '256', not for '16'"),
        ({"cues": "mask text"}, "cues 'mask text', not for 'mask context"),
        ({"model": "tiny"}, "model 'tiny', not for 'mini'"),
    ],
)
def test_a_router_of_something_else_is_refused(tmp_path, said, message):
    path = save(tmp_path / "router.safetensors", {**metadata("mini", WIDTH), **said})
    with pytest.raises(ModelError, match=message):
        load(path, "mini", WIDTH)


def test_weights_of_something_else_are_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="is no router"):
        load(tmp_path / "other.safetensors", "mini", WIDTH)


def test_other_layers_are_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors", metadata("mini", WIDTH))
    with pytest.raises(ModelError, match="other layers"):
        load(tmp_path / "other.safetensors", "mini", WIDTH)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "router.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be read"):
        load(tmp_path / "router.safetensors", "mini", WIDTH)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        load(tmp_path / "nowhere.safetensors", "mini", WIDTH)
