"""Training of the mini CLIP."""

from __future__ import annotations

import math

import pytest
import torch

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.lab.training.clip import MARGIN, MODEL, ClipTask, classify, contrast
from fastsam2_ros.lab.training.crops import GROUND, LanguageShape, language_batch, square_crop
from fastsam2_ros.lab.training.loop import Settings, Trainer
from fastsam2_ros.language.clip import Clip

CPU = torch.device("cpu")
SHAPE = LanguageShape(scenes=2, frames=1, dense=1, absent=2)
RED_STAR, BLUE_STAR = (0, 0, 3), (4, 0, 3)


@pytest.fixture(scope="module")
def batch():
    return language_batch(0, 0, SHAPE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("clip")
    trainer = Trainer(ClipTask(CPU, scenes=2, shape=SHAPE), Settings(out, CPU, steps=2, warmup=1, validations=1))
    return trainer, trainer.run()


def unit(*places: int) -> torch.Tensor:
    return torch.eye(4)[list(places)]


def test_contrast_by_hand():
    # One thing, its own text at cosine 1, another's at 0, one negative at 0; scale 2.
    things, texts, negatives = unit(0), unit(0, 1), unit(2)
    loss = contrast(
        things, torch.tensor([RED_STAR]), texts, torch.tensor([RED_STAR, BLUE_STAR]), negatives, torch.tensor(2.0)
    )
    lead = 2 * (1 - MARGIN)
    up = math.log1p(2 * math.exp(-lead))  # against the false text and the negative
    down = math.log1p(math.exp(2 * MARGIN))  # the false text against the negative, both at 0
    across = 0.0  # no other thing that the text could be mistaken for
    assert loss.item() == pytest.approx(up + across + 0.5 * down, rel=1e-5)


def test_contrast_wants_background_nearer_to_the_negatives():
    of, named = torch.tensor([(GROUND,) * 3]), torch.tensor([RED_STAR])
    near, far = (contrast(unit(place), of, unit(0), named, unit(2), torch.tensor(20.0)) for place in (2, 0))
    assert near < 0.1
    assert far > 5


def test_a_text_that_is_true_of_several_things_is_no_rival_among_them():
    of = torch.tensor([RED_STAR, BLUE_STAR])
    star = torch.tensor([(-1, -1, 3)])
    loss = contrast(unit(0, 0), of, unit(0), star, unit(2), torch.tensor(50.0))
    assert loss < 0.1


def test_the_loss_reaches_both_towers_and_the_patches(batch):
    task = ClipTask(CPU, shape=SHAPE)
    loss, terms = task.loss(batch, 0, 1.0)
    loss.backward()
    for part in (next(task.model.visual.parameters()), task.model.token_embedding.weight, task.model.logit_scale):
        assert part.grad.abs().sum() > 0
    assert terms.pop("loss") == pytest.approx(sum(terms.values()), rel=1e-5)
    assert {"crops", "patches"} < set(terms)


def test_training_begins_with_attributes_alone(batch):
    _, terms = ClipTask(CPU, shape=SHAPE).loss(batch, 0, 0.0)
    assert terms["loss"] == pytest.approx(sum(v for name, v in terms.items() if "attributes" in name), rel=1e-5)


def test_classification_by_hand():
    codes, scale = torch.eye(40)[:37], torch.tensor(2.0)
    # Exactly its own colour's vector, and all patterns and shapes alike.
    loss = classify(codes[:1], torch.tensor([(0, 1, 2)]), codes, scale)
    assert loss.item() == pytest.approx(math.log(1 + 7 * math.exp(-2)) + math.log(5) + math.log(24), rel=1e-5)


def test_what_is_not_said_is_not_asked_for():
    codes, scale = torch.eye(40)[:37], torch.tensor(2.0)
    vectors = torch.cat((codes[:1], codes[5:6]))
    of = torch.tensor([(0, -1, -1), (-1, -1, -1)])
    assert classify(vectors, of, codes, scale).item() == pytest.approx(math.log(1 + 7 * math.exp(-2)), rel=1e-5)


def test_a_batch_is_a_function_of_seed_and_number(batch):
    again = language_batch(0, 0, SHAPE)
    assert batch.sentences == again.sentences
    assert torch.equal(batch.crops, again.crops)
    assert torch.equal(batch.patch_attributes, again.patch_attributes)


def test_a_batch_shows_things_and_ground(batch):
    assert (batch.crop_attributes[:, 0] >= 0).any()
    assert (batch.patch_attributes[..., 0] == GROUND).any()
    assert (batch.patch_attributes[..., 0] >= 0).any()
    assert batch.patch_attributes.shape[1:3] == tuple(n // SHAPE.patch for n in batch.frames.shape[1:3])


def test_crops_for_training_are_those_of_use(trained, batch):
    frame = batch.frames[0].numpy()
    clip = Clip.load(LanguageConfig(name=str(MODEL), weights="untrained"), CPU)
    box = (40.0, 30.0, 60.0, 50.0)
    ours = torch.from_numpy(square_crop(frame, box, 128)).permute(2, 0, 1).float() / 255
    theirs = clip._crop(clip._pixels(frame), box) * clip._std + clip._mean
    assert (ours - theirs).abs().mean() < 0.02


def test_weights_load_as_any_checkpoint(trained):
    trainer, _ = trained
    path = trainer.settings.out / "mini_clip.safetensors"
    clip = Clip.load(LanguageConfig(name=str(MODEL), weights=str(path)), CPU)
    assert not clip.untrained
    assert clip.embed_texts(["red mug"]).isfinite().all()
    assert path.stat().st_size < 10_000_000


def test_the_averaged_text_tower_keeps_its_mask(trained):
    trainer, _ = trained
    tokens = torch.tensor([[49406, 736, 49407] + [0] * 29])
    assert trainer.average.encode_text(tokens).isfinite().all()


def test_validation_reports_shares(trained):
    _, figures = trained
    assert set(figures) == {"val found", "val absent", "val patch"}
    assert all(0 <= value <= 1 for value in figures.values())
