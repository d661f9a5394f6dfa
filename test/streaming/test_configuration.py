"""What a sam2 YAML configuration may make, and what is refused before anything of it is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.configuration import TARGETS, read_model

BASE = "sam2.modeling.sam2_base.SAM2Base"
HIERA = "sam2.modeling.backbones.hieradet.Hiera"


@pytest.fixture
def written(tmp_path):
    def write(model) -> Path:
        path = tmp_path / "hostile.yaml"
        path.write_text(yaml.safe_dump({"model": model}))
        return path

    return write


@pytest.fixture
def trap(tmp_path):
    """A target that leaves a file where it is called."""
    mark = tmp_path / "ran"
    return {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(mark)]}]}, mark


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda trap: trap,
        lambda trap: {"_target_": BASE, "image_encoder": trap},
        lambda trap: {"_target_": BASE, "image_encoder": {"_target_": HIERA, "stages": [1, [trap]]}},
        lambda trap: {"_target_": BASE, "_args_": [trap]},
        lambda trap: {"_target_": BASE, "a": {"_partial_": True, **trap}},
        lambda trap: {"_target_": BASE, "no target": {"deep": [{"deeper": trap}]}},
        lambda trap: {"_target_": {"_target_": "builtins.str", "object": trap}},
        lambda trap: {"_target_": BASE, "name": "pathlib.Path.touch", "a": {**trap, "_target_": "${model.name}"}},
    ],
    ids=["root", "value", "list", "arguments", "partial", "deep", "target of a target", "interpolated"],
)
def test_nothing_but_parts_of_sam2_is_called(written, trap, wrapped):
    hostile, mark = trap
    with pytest.raises(ModelError, match=r"hostile\.yaml would make .* no part of SAM 2"):
        loading.build(written(wrapped(hostile)))
    assert not mark.exists()


@pytest.mark.parametrize(
    "target",
    [
        "setuptools.distutils.spawn.spawn",
        "shutil.copy",
        "builtins.open",
        "torch.save",
        "torch.load",
        "sam2.modeling.sam2_base.torch.load",
        "sam2.modeling.backbones.hieradet.g_pathmgr.rm",
        "sam2.build_sam.build_sam2",
        "hydra.utils.instantiate",
        "",
        5,
        None,
        [BASE],
    ],
)
def test_a_target_is_a_whole_name_of_the_list(written, target):
    with pytest.raises(ModelError, match="no part of SAM 2"):
        read_model(written({"_target_": BASE, "image_encoder": {"_target_": target}}))


def test_a_trunk_may_not_unpickle_weights(written):
    with pytest.raises(ModelError, match=r"/tmp/x\.pt.*model\.checkpoint"):
        read_model(written({"_target_": HIERA, "weights_path": "/tmp/x.pt"}))


def test_an_escaped_interpolation_is_not_resolved_later(written):
    with pytest.raises(ModelError, match="interpolation"):
        read_model(written({"_target_": BASE, "image_size": "\\${oc.env:HOME}"}))


def test_an_interpolation_is_its_value(written):
    assert read_model(written({"_target_": BASE, "a": 512, "image_size": "${model.a}"}))["image_size"] == 512


@pytest.mark.parametrize("name", ["mini", "tiny", "small", "base_plus", "large"])
def test_our_own_and_the_released_configurations_are_allowed(name):
    assert read_model(loading.find_config(name))["_target_"] in TARGETS


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00model", b"model: {a: \xe9}", b"", b"model", b"[1, 2]", b"model: [1]", b"model: 5", b"model:", b"a: 1",
     b"model: {a: ${b}}", b"model: {a: *b}", b"a: [", b"\x00"],
)  # fmt: skip
def test_a_file_that_is_no_configuration_is_one_line(tmp_path, content):
    path = tmp_path / "other.yaml"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.yaml") as caught:
        loading.load_sam2(ModelConfig(name=str(path), checkpoint="untrained", device="cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [{"image_size": "large"}, {"no_such_setting": 1}, {"num_maskmem": []}])
def test_a_value_that_cannot_be_is_one_line(tmp_path, value):
    settings = yaml.safe_load(loading.find_config("mini").read_text())
    settings["model"].update(value)
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(settings))
    with pytest.raises(ModelError, match=r"other\.yaml is not") as caught:
        loading.build(path)
    assert "\n" not in str(caught.value)
