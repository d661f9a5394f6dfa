"""A picture in place of a text."""

from types import SimpleNamespace

import pytest
import torch

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import search as language_search
from fastsam2_ros.language.example import OWN_SHARE, WithExamples, embed, least_margin
from fastsam2_ros.language.finder import Wanted
from fastsam2_ros.language.search import NONE, TextSearch

from .fakes import ColourClip, ColourFeatures, ColourSegmenter, scene

FRAME = scene(red=(20, 20, 30, 20), green=(100, 20, 30, 20))


@pytest.fixture
def search(monkeypatch):
    monkeypatch.setattr(language_search, "Clip", SimpleNamespace(load=lambda *_: ColourClip()))
    return TextSearch(LanguageConfig(), torch.device("cpu"))


def box_of(search, *wanted):
    found = search.search(FRAME, ColourFeatures(FRAME), wanted, ColourSegmenter(), LanguageConfig(min_margin=0.1))
    return [None if each is None else tuple(round(value / 5) * 5 for value in each.box) for each in found]


def test_what_a_picture_shows_is_found(search):
    green = scene(size=(40, 40), green=(0, 0, 40, 40))
    assert box_of(search, Wanted("thing", search.embed_example(green))) == [(100, 20, 30, 20)]


def test_what_a_picture_shows_and_the_frame_does_not_is_not_found(search):
    blue = scene(size=(40, 40), blue=(0, 0, 40, 40))
    assert box_of(search, Wanted("thing", search.embed_example(blue))) == [None]


def test_an_example_may_be_called_what_a_text_describes(search):
    green = scene(size=(40, 40), green=(0, 0, 40, 40))
    asked = Wanted("red box"), Wanted("red box", search.embed_example(green))
    assert box_of(search, *asked) == [(20, 20, 30, 20), (100, 20, 30, 20)]


def test_what_was_asked_for_is_named_in_what_was_found(search):
    (found,) = search.search(
        FRAME, ColourFeatures(FRAME), [Wanted("the left red box")], ColourSegmenter(), LanguageConfig(min_margin=0.1)
    )
    assert found.description == "the left red box"


def test_what_fits_another_target_better_is_not_found(search):
    alone = search.search(
        FRAME, ColourFeatures(FRAME), [Wanted("red")], ColourSegmenter(), LanguageConfig(min_margin=0.1)
    )
    beside = search.search(
        FRAME,
        ColourFeatures(FRAME),
        [Wanted("red")],
        ColourSegmenter(),
        LanguageConfig(min_margin=0.1),
        others=["red hat"],
    )
    assert alone[0] is not None
    assert beside == [None]


def test_only_the_example_stands_in_for_a_text():
    clip = ColourClip()
    example = torch.tensor([0.0, 0.0, 0.0, 1.0])
    embedded = WithExamples(clip, {"thing": example}).embed_texts(["red", "thing"])
    assert embedded[0].equal(clip.embed_texts(["red"])[0])
    assert embedded[1].equal(example)


def test_the_least_margin_is_a_share_of_the_pictures_own():
    clip = ColourClip()
    example = embed(scene(size=(40, 40), green=(0, 0, 40, 40)), clip)
    own = 1 - float((clip.embed_texts(["background"]) @ example).max())
    assert least_margin(example, clip) == pytest.approx(OWN_SHARE * own, abs=1e-5)


def test_without_a_language_model_there_are_no_examples():
    with pytest.raises(InputError, match=r"language\.name"):
        TextSearch(LanguageConfig(name=NONE), torch.device("cpu")).embed_example(FRAME)
