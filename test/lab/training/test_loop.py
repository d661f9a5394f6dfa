"""The training loop, on the model that it was made for."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache

import pytest
import torch
from safetensors.torch import save_file

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.errors import InputError, ModelError
from fastsam2_ros.lab.training import curves
from fastsam2_ros.lab.training.clips import ClipShape, clip_batch
from fastsam2_ros.lab.training.loop import CHECKPOINT, CURVES, LOG, Settings, Trainer, start_from
from fastsam2_ros.lab.training.sam2 import FURTHER, TRUNK, TRUNK_RATE, Sam2Task, Stage
from fastsam2_ros.streaming.loading import load_sam2

CPU = torch.device("cpu")
STAGES = (Stage(0.5, (ClipShape(96, 1, 1, 2),), 0.5), Stage(1.0, (ClipShape(96, 2, 1, 2),), 0.5))


class QuickTask(Sam2Task):
    """Without the validation, which streams at full size."""

    def __init__(self, goes_on: bool = False) -> None:
        super().__init__(CPU, seed=3, stages=STAGES, goes_on=goes_on)

    def validate(self, model):
        return {"J": 0.25}


@cache
def _made() -> QuickTask:
    return QuickTask()


def quick() -> QuickTask:
    """A task from nothing, whose start is computed once."""
    return deepcopy(_made())


def settings(out, **more) -> Settings:
    return Settings(out, CPU, steps=4, warmup=2, validations=2, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    trainer = Trainer(quick(), settings(out))
    trainer.run()
    return trainer


def test_a_resumed_run_equals_an_uninterrupted_one(whole, tmp_path):
    Trainer(quick(), settings(tmp_path, stop_after=3)).run()
    resumed = Trainer(quick(), settings(tmp_path))
    assert resumed.state.step == 3
    resumed.run()
    assert resumed.state.step == 4
    for trained in ("model", "average"):
        once, twice = (getattr(trainer, trained).state_dict() for trainer in (whole, resumed))
        assert all(torch.equal(once[name], twice[name]) for name in once)


def test_a_course_that_is_made_longer_is_validated_to_its_end(tmp_path):
    Trainer(quick(), replace(settings(tmp_path), steps=2)).run()
    longer = Trainer(quick(), settings(tmp_path))
    longer.run()
    assert [row["step"] for row in longer.state.log if "val J" in row] == [1, 2, 4]


def test_the_trunk_stays_as_it_is_until_a_training_goes_on_from_weights(whole, tmp_path):
    further = QuickTask(goes_on=True)
    start_from(further, whole.settings.out / "mini.safetensors")
    before = {name: value.clone() for name, value in further.model.state_dict().items()}
    trainer = Trainer(further, replace(settings(tmp_path), steps=2))
    trainer.run()
    first, second = (
        {name for name, value in after.items() if name.startswith(TRUNK) and not torch.equal(value, start[name])}
        for after, start in (
            (whole.model.state_dict(), quick().model.state_dict()),
            (trainer.model.state_dict(), before),
        )
    )
    assert not first
    assert {f"{TRUNK}{name}" for name, _ in further.model.image_encoder.trunk.named_parameters()} == second
    lr = {group["share"]: group["lr"] for group in trainer.optimizer.param_groups}
    assert lr.keys() == {1.0, TRUNK_RATE}
    assert lr[TRUNK_RATE] == pytest.approx(TRUNK_RATE * lr[1.0])

    resumed = Trainer(QuickTask(goes_on=True), replace(settings(tmp_path), steps=3))
    assert resumed.state.step == 2
    resumed.run()
    with pytest.raises(InputError, match="resumed with --weights"):
        Trainer(quick(), replace(settings(tmp_path), steps=3))


def test_a_training_that_goes_on_has_a_course_of_its_own_and_needs_no_other_weights(monkeypatch):
    monkeypatch.setattr("fastsam2_ros.lab.training.imagenet.package_file", None)
    told = []
    monkeypatch.setattr(
        "fastsam2_ros.lab.training.sam2.Plan.draw", lambda _frames, _masks, share, _generator: told.append(share)
    )
    task = Sam2Task(CPU, goes_on=True)
    assert [phase.until for phase in task.phases] == [stage.until for stage in FURTHER]
    batch = clip_batch(0, 0, ClipShape(96, 1, 1, 2))
    with pytest.raises(AttributeError):  # there is no plan
        task.loss(batch, 0, 0.0)
    assert told == [0.0]


def test_weights_load_as_any_checkpoint(whole):
    path = whole.settings.out / "mini.safetensors"
    loaded = load_sam2(ModelConfig(name="mini", checkpoint=str(path), device="cpu")).streaming.model
    average = whole.average.state_dict()
    assert all(torch.equal(value, average[name].half().float()) for name, value in loaded.state_dict().items())
    assert path.stat().st_size < 12_000_000


def test_log_has_every_step_and_its_validations(whole):
    rows = [json.loads(line) for line in (whole.settings.out / LOG).read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["step"] for row in rows if "val J" in row] == [2, 4]
    assert rows[0]["phase"] != rows[-1]["phase"]


def test_curves_are_drawn(whole):
    assert (whole.settings.out / CURVES).read_bytes().startswith(b"\x89PNG")


def test_curves_are_drawn_where_terms_come_and_go(tmp_path):
    rows = [{"step": n, "seconds": float(n), "phase": "a", ("IoU box" if n % 2 else "loss"): 0.5} for n in range(4)]
    curves.draw([*rows, {**rows[0], "val J": 0.5}, {**rows[0], "val patch": 0.5}], tmp_path / CURVES)
    assert (tmp_path / CURVES).read_bytes().startswith(b"\x89PNG")


def test_a_training_starts_from_a_files_weights(whole):
    task = quick()
    start_from(task, whole.settings.out / "mini.safetensors")
    average = whole.average.state_dict()
    assert all(torch.equal(value, average[name].half().float()) for name, value in task.model.state_dict().items())


def test_a_training_that_goes_on_leaves_early_stages_out_and_a_checkpoint_knows_it(tmp_path):
    trainer = Trainer(quick(), settings(tmp_path, begun=0.5, stop_after=2))
    assert trainer.progress == 0.5
    trainer.run()
    assert {row["phase"] for row in trainer.state.log} == {trainer.task.phases[1].name}
    resumed = Trainer(quick(), settings(tmp_path))
    assert resumed.progress == 0.75
    resumed.run()
    assert resumed.state.step == 4
    assert [row["step"] for row in resumed.state.log if "val J" in row] == [4]


def test_weights_of_another_model_are_no_start(tmp_path):
    save_file({"logit_scale": torch.ones(())}, tmp_path / "clip.safetensors")
    with pytest.raises(ModelError, match=r"clip\.safetensors cannot be taken as the weights of 'mini'"):
        start_from(quick(), tmp_path / "clip.safetensors")


@pytest.mark.parametrize("content", [b"", b"no safetensors", None])
def test_a_file_that_cannot_be_read_is_no_start(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.safetensors cannot be taken"):
        start_from(quick(), path)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    torch.save({"model": {}}, tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match="another training"):
        Trainer(quick(), settings(tmp_path))


def test_training_needs_an_end(tmp_path):
    with pytest.raises(InputError, match="minutes or steps"):
        Trainer(quick(), replace(settings(tmp_path), steps=0))
