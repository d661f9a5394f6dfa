"""What else a found thing might be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.config import MINI, LanguageConfig
from fastsam2_ros.language import search as language_search
from fastsam2_ros.language.alternatives import KEPT, SAME_MEANING, Alternatives, alternatives
from fastsam2_ros.language.finder import Wanted
from fastsam2_ros.language.search import TextSearch
from fastsam2_ros.language.vocabulary import NOUNS, TEMPLATES

from .fakes import ColourClip, ColourFeatures, ColourSegmenter, scene


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("mug", "key"),
        ("the red mug", "the red key"),
        ("Red Mugs", "Red key"),
        ("red striped toy block", "red striped key"),
        ("the trash can on the floor", "the key on the floor"),
        ("person holding a cup", "key holding a cup"),
        ("cup left of the plate", "key left of the plate"),
        ("box next to the chair", "key next to the chair"),
        ("dog running", "key running"),
        ("a pair of shoes", "a pair of key"),
        ("table lamp", "key"),
        ("orange ball", "orange key"),
        ("an orange", "an key"),
        ("green gizmo", "green key"),
        ("torque wrench", "key"),
    ],
)
def test_another_noun_stands_in_place_of_its_own(description, expected):
    assert alternatives(description, ["key", "torque wrench"])[0] == expected


@pytest.mark.parametrize(
    "description",
    [
        "",
        "object",
        "the red thing",
        "vehicles",
        "people",
        "gizmo next to the gadget",
        "\u676f\u5b50 \u7ea2 \u8272 \u7684",
    ],
)
def test_what_is_of_no_one_kind_has_none(description):
    assert alternatives(description) == ()


def test_its_own_noun_is_none_in_singular_and_plural():
    assert len(alternatives("red mugs")) == len(NOUNS) - 1
    assert alternatives("torque wrench", ["Torque Wrenches", "Torque Wrench", "hex key"])[-1] == "hex key"
    assert "Torque Wrench" not in alternatives("torque wrench", ["Torque Wrench", "hex key"])


class Meanings:
    """Texts by their last word: "cup" is nearly "mug", "key" is something else."""

    logit_scale = 20.0

    def __init__(self):
        self.asked = []

    def embed_texts(self, descriptions, templates=TEMPLATES, *, keep=True):
        self.asked.append((tuple(descriptions), keep))
        vectors = {"mug": (1.0, 0.0), "cup": (1.0, 0.5), "key": (0.0, 1.0)}
        return F.normalize(torch.tensor([vectors[text.split()[-1]] for text in descriptions]), dim=-1)


def test_what_means_the_same_is_left_out():
    others = Alternatives(Meanings(), ["mug", "cup", "key"]).of("red mug")
    assert others.tolist() == [[0.0, 1.0]]
    assert SAME_MEANING < (1 / 1.25**0.5)  # of cup and mug


def test_they_are_embedded_once_and_drive_no_other_text_out():
    clip = Meanings()
    others = Alternatives(clip, ["cup", "key"])
    assert others.of("red mug") is others.of("red mug")
    assert clip.asked == [(("red cup", "red key"), False), (("red mug",), True)]
    for number in range(KEPT):
        others.of(f"{number} mug")
    others.of("red mug")
    assert sum(asked == ("red mug",) for asked, _ in clip.asked) == 2


@pytest.fixture
def compared(monkeypatch, tmp_path):
    """Numbers of alternatives that a search of a text and an example compares with, with a vocabulary of three names."""
    monkeypatch.setattr(language_search, "Clip", SimpleNamespace(load=lambda *_: ColourClip()))
    given = []
    monkeypatch.setattr(
        language_search,
        "ground",
        lambda *_, alternatives, **__: given.append(alternatives) or [None] * len(alternatives),
    )
    file = tmp_path / "names.txt"
    file.write_text("red cone\nblue box\ngreen ball\n")

    def search(name):
        found = TextSearch(LanguageConfig(name=name, vocabulary=str(file)), torch.device("cpu"))
        frame = scene(red=(20, 20, 30, 20))
        wanted = [Wanted("red box"), Wanted("red box", found.embed_example(frame))]
        found.search(frame, ColourFeatures(frame), wanted, ColourSegmenter(), LanguageConfig(min_margin=0.1))
        (each,) = given
        return [None if others is None else len(others) for others in each]

    return search


def test_mini_compares_texts_with_the_vocabulary_and_examples_with_nothing(compared):
    assert compared(MINI) == [0, None]  # All that is called red is one and the same to this CLIP.


def test_other_models_compare_with_nothing(compared):
    assert compared("ViT-B-32") == [None, None]
