import json
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import VisionTransformer

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.language import weights
from fastsam2_ros.language.clip import Clip
from fastsam2_ros.weights import read_tensors

from .conftest import ARCHITECTURE

CPU = torch.device("cpu")


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def build(config):
    return weights.build(weights.find(config), config.seed)[0]


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_checkpoint_file_gives_the_saved_weights(files, model, ending):
    loaded = build(LanguageConfig(name=str(files / "small.json"), weights=str(files / f"small.{ending}")))
    expected = model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())


def test_the_hubs_form_of_a_json_file_is_read_with_its_preprocessing(files, tmp_path):
    content = {"model_cfg": ARCHITECTURE, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(content))
    source = weights.find(LanguageConfig(name=str(tmp_path / "open_clip_config.json"), weights="untrained"))
    assert source.preprocess["mean"] == [0.5, 0.5, 0.5]
    assert source.architecture == ARCHITECTURE


def test_a_name_of_open_clip_is_built_as_open_clip_builds_it():
    ours = build(LanguageConfig(name="ViT-S-32-alt", weights="untrained"))
    theirs = open_clip.create_model("ViT-S-32-alt")
    assert isinstance(ours.visual, VisionTransformer)
    assert {n: t.shape for n, t in ours.state_dict().items()} == {n: t.shape for n, t in theirs.state_dict().items()}


def test_untrained_weights_depend_on_the_seed_alone(files):
    config = LanguageConfig(name=str(files / "small.json"), weights="untrained", seed=1)
    first = build(config).visual.proj
    torch.rand(3)
    assert torch.equal(first, build(config).visual.proj)
    other = LanguageConfig(name=config.name, weights="untrained", seed=2)
    assert not torch.equal(first, build(other).visual.proj)


def test_loading_leaves_torchs_random_state_alone(config):
    before = torch.get_rng_state()
    build(config)
    assert torch.equal(before, torch.get_rng_state())


def test_untrained_is_said(files, clip):
    assert Clip.load(LanguageConfig(name=str(files / "small.json"), weights="untrained"), CPU).untrained
    assert not clip.untrained


def test_an_unknown_name_suggests_close_ones():
    with pytest.raises(ModelError, match=r"no model 'ViT-B16'\. Close names: .*ViT-B-16"):
        weights.find(LanguageConfig(name="ViT-B16"))


def test_an_unknown_tag_lists_the_tags():
    with pytest.raises(ModelError, match=r"no weights 'datacomp_xxl'.*laion400m_e32"):
        weights.find(LanguageConfig(weights="datacomp_xxl"))


def test_a_missing_file_is_named(files):
    with pytest.raises(ModelError, match=r"There is no file /nowhere/clip\.safetensors"):
        weights.find(LanguageConfig(weights="/nowhere/clip.safetensors"))


def test_a_missing_json_file_is_named():
    with pytest.raises(ModelError, match=r"/nowhere/clip\.json cannot be read"):
        weights.find(LanguageConfig(name="/nowhere/clip.json"))


def test_a_json_file_of_something_else_is_named(tmp_path):
    (tmp_path / "other.json").write_text('{"width": 3}')
    with pytest.raises(ModelError, match=r"other\.json lacks embed_dim, vision_cfg, text_cfg"):
        weights.find(LanguageConfig(name=str(tmp_path / "other.json")))


@pytest.mark.parametrize("tower", [{"width": "wide"}, {"colour": "red"}])
def test_a_json_file_that_open_clip_cannot_build_is_named(tmp_path, tower):
    content = {**ARCHITECTURE, "vision_cfg": {**ARCHITECTURE["vision_cfg"], **tower}}
    (tmp_path / "wrong.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"cannot build the model .*wrong\.json"):
        build(LanguageConfig(name=str(tmp_path / "wrong.json"), weights="untrained"))


@pytest.mark.parametrize("requested", ["datacomp_xl_s13b_b90k", "hf-hub:laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"])
def test_without_network_and_cached_file_both_ways_out_are_said(monkeypatch, tmp_path, requested):
    def no_network(**_):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", no_network)
    with pytest.raises(ModelError, match=r"run once with a network connection.*or give the path.*no route to host"):
        weights.find(LanguageConfig(weights=requested))


def test_weights_from_the_hub_bring_their_own_architecture(monkeypatch, files):
    hub = {"open_clip_config.json": files / "small.json", "open_clip_model.safetensors": files / "small.safetensors"}

    def from_cache(repo_id, filename, **_):
        assert repo_id == "someone/small"
        return str(hub[filename])

    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", from_cache)
    source = weights.find(LanguageConfig(weights="hf-hub:someone/small"))
    assert source.architecture == ARCHITECTURE
    assert source.checkpoint == files / "small.safetensors"


def test_a_tag_trained_with_quick_gelu_gets_it(monkeypatch, files):
    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", lambda **_: str(files / "small.safetensors"))
    assert weights.find(LanguageConfig(name="ViT-B-16", weights="openai")).architecture["quick_gelu"]
    assert not weights.find(LanguageConfig(name="ViT-B-16")).architecture["quick_gelu"]


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_truncated_file_is_damaged(files, tmp_path, ending):
    whole = (files / f"small.{ending}").read_bytes()
    damaged = tmp_path / f"damaged.{ending}"
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=rf"damaged\.{ending} cannot be read: the file is damaged"):
        read_tensors(damaged)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_file_of_something_else_is_damaged(tmp_path, content):
    (tmp_path / "text.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"text\.pt cannot be read"):
        read_tensors(tmp_path / "text.pt")


def test_a_checkpoint_never_executes_code(tmp_path):
    touched = tmp_path / "touched"
    torch.save({"weight": torch.zeros(2), "trap": Trap(touched)}, tmp_path / "trap.pt")
    with pytest.raises(ModelError, match="holds more than plain tensors"):
        read_tensors(tmp_path / "trap.pt")
    assert not touched.exists()


def test_a_file_without_tensors_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(ModelError, match="no tensors by name"):
        read_tensors(tmp_path / "empty.pt")


@pytest.mark.parametrize("change", [{"width": 96}, {"layers": 2}, {"patch_size": 8}])
def test_a_checkpoint_of_another_model_is_refused(files, tmp_path, change):
    content = {**ARCHITECTURE, "vision_cfg": {**ARCHITECTURE["vision_cfg"], **change}}
    (tmp_path / "other.json").write_text(json.dumps(content))
    config = LanguageConfig(name=str(tmp_path / "other.json"), weights=str(files / "small.safetensors"))
    with pytest.raises(ModelError, match=r"small\.safetensors do not belong to the open_clip model .*other\.json"):
        build(config)


@pytest.mark.parametrize("name", ["RN50", "ViT-B-16-SigLIP", "coca_ViT-B-32", "convnext_base"])
def test_image_towers_without_dense_vit_features_are_refused_before_anything_is_fetched(name):
    with pytest.raises(ModelError, match=rf"{name} has a .* image tower\. Dense relevance needs .*ViT-B-16"):
        weights.find(LanguageConfig(name=name))


def test_custom_blocks_are_refused(tmp_path):
    content = {**ARCHITECTURE, "vision_cfg": {**ARCHITECTURE["vision_cfg"], "qk_norm": True}}
    (tmp_path / "custom.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="custom blocks"):
        build(LanguageConfig(name=str(tmp_path / "custom.json"), weights="untrained"))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"vision_cfg": 5}, "vision_cfg"),
        ({"text_cfg": "long"}, "text_cfg"),
        ({"vision_cfg": None}, "vision_cfg"),
        ({"model_cfg": [1]}, "model_cfg"),
        ({"model_cfg": ARCHITECTURE, "preprocess_cfg": 3}, "preprocess_cfg"),
        ({"model_cfg": ARCHITECTURE, "preprocess_cfg": {"mean": 0.5}}, "mean"),
        ({"model_cfg": ARCHITECTURE, "preprocess_cfg": {"std": ["a", 1, 2]}}, "std"),
    ],
)
def test_a_json_file_with_a_part_of_another_type_is_named(tmp_path, change, name):
    (tmp_path / "odd.json").write_text(json.dumps({**ARCHITECTURE, **change}))
    with pytest.raises(ModelError, match=rf"odd\.json has {name}: "):
        weights.find(LanguageConfig(name=str(tmp_path / "odd.json"), weights="untrained"))


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"[]", b"5", b"null", b"{", b""])
def test_a_json_file_that_is_none_is_named(tmp_path, content):
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"odd\.json"):
        weights.find(LanguageConfig(name=str(tmp_path / "odd.json"), weights="untrained"))


def test_a_tokenizer_may_not_bring_code_of_its_own(tmp_path):
    text = {
        **ARCHITECTURE["text_cfg"],
        "hf_tokenizer_name": "someone/evil",
        "tokenizer_kwargs": {"trust_remote_code": True},
    }
    (tmp_path / "odd.json").write_text(json.dumps({**ARCHITECTURE, "text_cfg": text}))
    with pytest.raises(ModelError, match=r"odd\.json: its tokenizer_kwargs have trust_remote_code"):
        build(LanguageConfig(name=str(tmp_path / "odd.json"), weights="untrained"))
