"""Training of the mini CLIP."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from language.fakes import crops_of

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.training import gallery
from fastsam2_ros.lab.training.clip import GALLERY, MODEL, ClipTask, NamingShape
from fastsam2_ros.lab.training.clip_losses import MARGIN, classify, contrast
from fastsam2_ros.lab.training.crops import square_crop
from fastsam2_ros.lab.training.gallery import GROUND, REAL, WORLD, Gallery
from fastsam2_ros.lab.training.loop import Settings, Trainer
from fastsam2_ros.language.clip import Clip

from .real import write_real

CPU = torch.device("cpu")
SHAPE = NamingShape(things=24, spoken_of=8, classes=8, nouns=4, words=2, absent=2, scenes=2, validation=2)
TRUE, FALSE, UNKNOWN = 1, 0, -1


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("clip")
    task = ClipTask(CPU, out, real=write_real(tmp_path_factory.mktemp("real")), shape=SHAPE)
    trainer = Trainer(task, Settings(out, CPU, steps=2, warmup=1, validations=1))
    return trainer, trainer.run()


def unit(*places: int) -> torch.Tensor:
    return torch.eye(4)[list(places)]


def of(*rows: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.int8)


def test_contrast_by_hand():
    # One thing, its own text at cosine 1, another's at 0, one negative at 0; scale 2.
    loss = contrast(unit(0), of((TRUE, FALSE)), unit(0, 1), unit(2), torch.tensor(2.0))
    lead = 2 * (1 - MARGIN)
    up = math.log1p(2 * math.exp(-lead))  # against the false text and the negative
    down = math.log1p(math.exp(2 * MARGIN))  # the false text against the negative, both at 0
    across = 0.0  # no other thing that the text could be mistaken for
    assert loss.item() == pytest.approx(up + across + 0.5 * down, rel=1e-5)


def test_what_nobody_knows_is_no_rival():
    with_rival, without = (
        contrast(unit(0), of((TRUE, kind)), unit(0, 0), unit(2), torch.tensor(20.0)) for kind in (FALSE, UNKNOWN)
    )
    assert without < 0.1 < with_rival


def test_the_number_of_false_texts_does_not_move_the_negatives():
    few = contrast(unit(0), of((FALSE,)), unit(1), unit(2), torch.tensor(20.0))
    many = contrast(unit(0), of((FALSE,) * 9), unit(*(1,) * 9), unit(2), torch.tensor(20.0))
    assert many.item() == pytest.approx(few.item(), rel=1e-5)


def test_contrast_wants_background_nearer_to_the_negatives():
    near, far = (contrast(unit(place), of((FALSE,)), unit(0), unit(2), torch.tensor(20.0)) for place in (2, 0))
    assert near < 0.1
    assert far > 5


def test_a_text_that_is_true_of_several_things_is_no_rival_among_them():
    loss = contrast(unit(0, 0), of((TRUE,), (TRUE,)), unit(0), unit(2), torch.tensor(50.0))
    assert loss < 0.1


def test_the_loss_reaches_the_projection_and_the_text_tower_but_not_the_trunk(trained):
    task = trained[0].task
    loss, terms = task.loss(task.batch(0), 0, 1.0)
    task.model.zero_grad()
    loss.backward()
    for part in (task.model.visual.head.proj.weight, task.model.token_embedding.weight, task.model.logit_scale):
        assert part.grad.abs().sum() > 0
    assert all(part.grad is None for part in task.model.visual.trunk.parameters())
    assert terms.pop("loss") == pytest.approx(sum(terms.values()), rel=1e-5)


def test_classification_by_hand():
    codes, scale = torch.eye(48)[:40], torch.tensor(2.0)
    # Exactly its own colour's vector, and all patterns and shapes alike.
    loss = classify(codes[:1], torch.tensor([(0, 1, 2)]), codes, scale)
    assert loss.item() == pytest.approx(math.log(1 + 10 * math.exp(-2)) + math.log(5) + math.log(24), rel=1e-5)


def test_what_is_not_said_is_not_asked_for():
    codes, scale = torch.eye(48)[:40], torch.tensor(2.0)
    vectors = torch.cat((codes[:1], codes[5:6]))
    attributes = torch.tensor([(0, -1, -1), (-1, -1, -1)])
    assert classify(vectors, attributes, codes, scale).item() == pytest.approx(
        math.log(1 + 10 * math.exp(-2)), rel=1e-5
    )


def test_a_batch_is_a_function_of_its_number(trained):
    task = trained[0].task
    one, other = task.batch(3), task.batch(3)
    assert torch.equal(one.rows, other.rows)
    assert one.statements == other.statements


def test_features_are_kept(trained, monkeypatch):
    trainer, _ = trained
    monkeypatch.setattr(gallery, "collect", None)
    task = ClipTask(CPU, trainer.settings.out, shape=SHAPE)
    assert torch.equal(task.batch(3).rows, trainer.task.batch(3).rows)


def test_features_that_another_trunk_saw_are_not_taken(trained, tmp_path):
    kept = Gallery.load(trained[0].settings.out / GALLERY)
    replace(kept, trunk="another").save(tmp_path / GALLERY)
    with pytest.raises(InputError, match=r"gallery\.pt keeps was seen by another version"):
        ClipTask(CPU, tmp_path, shape=SHAPE)


@pytest.fixture
def kept(trained):
    return Gallery.load(trained[0].settings.out / GALLERY)


def test_the_gallery_has_things_of_all_origins(kept):
    assert {WORLD, REAL, GROUND} <= set(kept.origins.tolist())


def test_photographed_objects_keep_their_names(kept):
    rows = (kept.origins == REAL) & ~kept.cells
    called = {kept.words[place] for place in kept.names[rows].nonzero()[:, 1].tolist()}
    assert called == {"box", "ball"}


def test_crops_for_training_are_those_of_use():
    frame = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    box, side = (60.0, 50.0, 80.0, 70.0), 160
    ours = torch.from_numpy(square_crop(frame, box, side)).permute(2, 0, 1).float() / 255
    (theirs,) = crops_of(frame, [box], side)
    assert (ours - theirs).abs().mean() < 0.03


def test_weights_load_as_any_checkpoint(trained):
    trainer, _ = trained
    path = trainer.settings.out / "mini_clip.safetensors"
    clip = Clip.load(LanguageConfig(name=str(MODEL), weights=str(path)), CPU)
    assert not clip.untrained
    assert clip.embed_texts(["red mug"]).isfinite().all()
    assert path.stat().st_size < 15_000_000


def test_the_averaged_text_tower_keeps_its_mask(trained):
    trainer, _ = trained
    tokens = torch.tensor([[49406, 736, 49407] + [0] * 29])
    assert trainer.average.encode_text(tokens).isfinite().all()


def test_validation_reports_shares(trained):
    _, figures = trained
    assert set(figures) == {"val named", "val true", "val false", "val attributes"}
    assert all(0 <= value <= 1 for value in figures.values())
