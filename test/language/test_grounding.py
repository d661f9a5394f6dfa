from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.config import LanguageConfig
from fastsam2_ros.language import scoring
from fastsam2_ros.language.grounding import ANYTHING, LEAST_QUALITY, REGION_IOU, ground
from fastsam2_ros.language.vocabulary import TEMPLATES

from .fakes import COLOURS, ColourClip, ColourFeatures, ColourSegmenter, scene

CONFIG = LanguageConfig(min_margin=0.1)
THREE = scene(red=(20, 20, 30, 20), green=(100, 20, 30, 20), blue=(60, 80, 30, 20))


def find(frame, *descriptions, clip=None, segmenter=None, config=CONFIG, dense=None, **negatives):
    clip, segmenter = clip or ColourClip(), segmenter or ColourSegmenter()
    return ground(frame, ColourFeatures(frame), descriptions, clip, segmenter, config, dense, **negatives)


@pytest.mark.parametrize(
    ("description", "box"),
    [("red box", (20, 20, 30, 20)), ("green box", (100, 20, 30, 20)), ("blue box", (60, 80, 30, 20))],
)
def test_the_described_one_among_look_alikes_is_found(description, box):
    (found,) = find(THREE, description)
    assert found.description == description
    assert found.box == pytest.approx(box, abs=3)


def test_what_is_not_there_is_not_found():
    assert find(THREE, "black box") == [None]


def test_several_descriptions_are_found_at_once_each_in_its_place():
    red, black, blue = find(THREE, "red box", "black box", "blue box")
    assert black is None
    assert red.box == pytest.approx((20, 20, 30, 20), abs=3)
    assert blue.box == pytest.approx((60, 80, 30, 20), abs=3)


def test_the_mask_is_that_of_the_whole_object_and_fits_its_box():
    (found,) = find(THREE, "red box")
    rows, columns = torch.nonzero(found.mask, as_tuple=True)
    assert found.mask.dtype == torch.bool
    assert (int(rows.min()), int(rows.max()) + 1) == pytest.approx((20 / 120 * 64, 40 / 120 * 64), abs=1.5)
    assert (int(columns.min()), int(columns.max()) + 1) == pytest.approx((20 / 160 * 64, 50 / 160 * 64), abs=1.5)


def test_the_prompt_that_is_returned_gives_the_mask_again():
    (found,) = find(THREE, "red box")
    logits, _ = ColourSegmenter().segment(ColourFeatures(THREE), found.points[None], found.labels[None], (120, 160))
    assert any(torch.equal(each, found.mask_logits) for each in logits[0])


def test_score_and_margin_are_in_their_ranges():
    (found,) = find(THREE, "red box")
    assert 0 < found.score <= 1
    assert CONFIG.min_margin <= found.margin <= 2


def test_the_margin_decides_what_is_not_found():
    (found,) = find(THREE, "red box")
    assert find(THREE, "red box", config=replace(CONFIG, min_margin=found.margin + 0.01)) == [None]
    assert find(THREE, "red box", config=replace(CONFIG, min_margin=found.margin - 0.01)) != [None]


def test_an_object_goes_to_one_description_only():
    results = find(scene(red=(60, 40, 40, 30)), "red box", "red thing")
    assert sorted(each is None for each in results) == [False, True]


def test_a_part_and_its_whole_can_both_be_targets():
    """A dark lid on a red box: the lid lies inside the other mask, and is what fits its own description best."""
    frame = scene(red=(60, 40, 40, 40), black=(70, 45, 20, 12))
    red, black = find(frame, "red box", "black lid")
    assert red.box == pytest.approx((60, 40, 40, 40), abs=3)
    assert black.box == pytest.approx((70, 45, 20, 12), abs=3)


def test_two_objects_of_one_kind_serve_two_descriptions():
    frame = scene(red=(10, 20, 30, 30))
    frame[70:100, 110:140] = (220, 30, 30)
    one, other = find(frame, "red box", "red thing")
    assert {round(one.box[0] / 100), round(other.box[0] / 100)} == {0, 1}


def test_the_same_input_gives_the_same_answer():
    (first,), (second,) = find(THREE, "red box"), find(THREE, "red box")
    assert torch.equal(first.mask_logits, second.mask_logits)
    assert (first.score, first.margin, first.box) == (second.score, second.margin, second.box)


def test_all_prompts_go_through_the_decoder_in_one_batch():
    segmenter = ColourSegmenter()
    find(THREE, "red box", "blue box", segmenter=segmenter)
    assert len(segmenter.calls) == 1


def test_many_prompts_are_split_into_batches_of_bounded_size(monkeypatch):
    monkeypatch.setattr("fastsam2_ros.language.grounding.PROMPTS_AT_ONCE", 3)
    segmenter = ColourSegmenter()
    (found,) = find(THREE, "red box", segmenter=segmenter, config=replace(CONFIG, max_candidates=4))
    assert max(segmenter.calls) <= 3
    assert found.box == pytest.approx((20, 20, 30, 20), abs=3)


def test_no_descriptions_need_no_model():
    assert ground(THREE, ColourFeatures(THREE), [], None, None, CONFIG) == []


def test_dense_features_that_the_caller_has_are_not_computed_again(monkeypatch):
    dense = ColourClip().dense_features(THREE)
    monkeypatch.setattr(ColourClip, "dense_features", lambda *_: pytest.fail("computed again"))
    assert find(THREE, "red box", dense=dense) != [None]


def test_features_that_are_not_finite_are_not_found_rather_than_an_error():
    assert find(THREE, "red box", dense=torch.full((4, 15, 20), float("nan"))) == [None]


@pytest.mark.parametrize("level", [float("nan"), -8.0, 8.0])
def test_where_masks_are_useless_the_relevant_region_is_the_mask(level):
    class Useless(ColourSegmenter):
        def segment(self, features, points, labels, size):
            return torch.full((len(points), 3, 64, 64), level), torch.ones(len(points), 3)

    (found,) = find(THREE, "red box", segmenter=Useless())
    assert found.box == pytest.approx((20, 20, 30, 20), abs=10)  # by tokens
    assert find(THREE, "black box", segmenter=Useless()) == [None]


def test_a_good_mask_goes_before_the_region():
    """Which is as large as tokens are."""
    exact, coarse = torch.zeros(2, 64, 64)
    exact[20:30, 20:30], coarse[19:32, 19:32] = 1, 1
    quality = scoring.quality(20 * torch.stack([exact, coarse]) - 10, torch.tensor([0.9, REGION_IOU]), exact)
    assert quality.score[0] > quality.score[1]


def test_a_crop_whose_embedding_is_not_finite_is_not_found(monkeypatch):
    monkeypatch.setattr(
        ColourClip, "embed_crops", lambda _, __, boxes, masks: torch.full((len(boxes), 4), float("nan"))
    )
    assert find(THREE, "red box") == [None]


def test_a_frame_without_any_structure_gives_an_answer():
    assert find(np.full((30, 40, 3), 100, np.uint8), "red box") == [None]


def test_the_real_clip_fits(clip):
    """Random weights find nothing in particular; what they return has the right form."""
    (found,) = find(THREE, "red box", clip=clip, config=replace(CONFIG, min_margin=-2.0))
    assert found.mask_logits.shape == (64, 64)
    assert 0 <= found.score <= 1


class HardlySeesRed(ColourClip):
    """Red is hardly more to it than a kind of blue."""

    def embed_texts(self, descriptions, templates=TEMPLATES, *, keep=True):
        red, blue = super().embed_texts(["red", "blue"])
        rows = super().embed_texts(descriptions)
        rows[["red" in text for text in descriptions]] = F.normalize(red + 1.2 * blue, dim=0)
        return rows


def test_the_other_colours_of_a_description_are_negatives_of_it():
    frame = scene(blue=(60, 80, 30, 20))
    assert find(frame, "red box", clip=HardlySeesRed()) == [None]
    # Beside the common negatives alone it would be red enough: where no noun follows, there is nothing to contrast with.
    assert find(frame, "red", clip=HardlySeesRed()) != [None]


@pytest.mark.parametrize(
    ("others", "slack", "found"),
    [
        ((), 0.0, True),
        (("green",), 0.0, True),
        (("blue",), 0.0, False),
        (("green", "blue"), 0.0, False),
        (("blue",), 2.0, True),
    ],
    ids=["none", "fits worse", "fits better", "one fits better", "not by more than the slack"],
)
def test_what_is_rather_something_else_is_not_found(monkeypatch, others, slack, found):
    monkeypatch.setattr("fastsam2_ros.language.grounding.ALTERNATIVE_SLACK", slack)
    frame, clip = scene(blue=(60, 80, 30, 20)), HardlySeesRed()
    (result,) = find(frame, "red", clip=clip, alternatives=[clip.embed_texts(others)])
    assert (result is not None) is found


def test_each_description_has_alternatives_of_its_own():
    frame, clip = scene(blue=(60, 80, 30, 20), green=(100, 20, 30, 20)), HardlySeesRed()
    found = find(frame, "red", "green", clip=clip, alternatives=[None, clip.embed_texts(("black",))])
    assert [each is None for each in found] == [False, False]
    found = find(frame, "red", "green", clip=clip, alternatives=[clip.embed_texts(("blue",)), None])
    assert [each is None for each in found] == [True, False]


class DoubtfulSegmenter(ColourSegmenter):
    """Its masks are right, and it says how far it believes in them."""

    def __init__(self, predicted):
        super().__init__()
        self.predicted = predicted

    def segment(self, features, points, labels, size):
        logits, _ = super().segment(features, points, labels, size)
        return logits, torch.full((len(points), 3), self.predicted)


def test_a_mask_of_low_quality_is_taken_only_where_anything_is(monkeypatch):
    # Regions of the relevance map are masks too: here they are worth nothing.
    monkeypatch.setattr("fastsam2_ros.language.grounding.REGION_IOU", 0.0)
    assert find(THREE, "red box", segmenter=DoubtfulSegmenter(LEAST_QUALITY - 0.01)) == [None]
    assert find(THREE, "red box", segmenter=DoubtfulSegmenter(LEAST_QUALITY + 0.2)) != [None]
    anything = replace(CONFIG, min_margin=ANYTHING)
    assert find(THREE, "red box", segmenter=DoubtfulSegmenter(0.05), config=anything) != [None]


class GroupingSegmenter(ColourSegmenter):
    """Its best mask is always of everything of one colour."""

    def segment(self, features, points, labels, size):
        logits, _ = super().segment(features, points, labels, size)
        frame = torch.from_numpy(cv2.resize(features.frame, (64, 64), interpolation=cv2.INTER_NEAREST).astype(int))
        for row, (xy, label) in enumerate(zip(points, labels, strict=True)):
            x, y = (xy[int((label == 1).nonzero()[0])] * 64 / torch.tensor([size[1], size[0]])).int().tolist()
            logits[row, 1] = torch.where((frame - frame[y, x]).abs().sum(2) < 30, 8.0, -8.0)
        return logits, torch.tensor([0.5, 0.95, 0.1]).repeat(len(points), 1)


def test_of_look_alikes_that_one_mask_lies_on_one_is_found():
    frame = scene(red=(20, 40, 30, 40))
    frame[40:80, 90:120] = COLOURS["red"]
    (found,) = find(frame, "red box", segmenter=GroupingSegmenter())
    assert any(found.box == pytest.approx(box, abs=3) for box in ((20, 40, 30, 40), (90, 40, 30, 40)))
    assert found.margin >= CONFIG.min_margin


def test_what_is_covered_in_the_middle_stays_whole_where_no_mask_is_of_a_half():
    """SAM 2 alone can tell: to this one the halves are no things of their own."""

    class Whole(GroupingSegmenter):
        def segment(self, features, points, labels, size):
            logits, ious = super().segment(features, points, labels, size)
            return logits[:, 1:2].expand(-1, 3, -1, -1).clone(), ious

    frame = scene(red=(20, 40, 100, 40), green=(60, 20, 20, 80))
    (found,) = find(frame, "red box", segmenter=Whole())
    assert found.box == pytest.approx((20, 40, 100, 40), abs=3)


LEFT_CUP, RIGHT_CUP = (20, 40, 30, 40), (90, 40, 30, 40)


def two_cups():
    frame = scene(red=LEFT_CUP)
    x, y, width, height = RIGHT_CUP
    frame[y : y + height, x : x + width] = COLOURS["red"]
    return frame


def test_look_alikes_that_one_mask_lies_on_go_to_one_description_each():
    found = find(two_cups(), "red box", "red thing", segmenter=GroupingSegmenter())
    assert sorted(round(each.box[0]) for each in found) == pytest.approx([20, 90], abs=3)


@pytest.mark.parametrize(("least", "box"), [(min, LEFT_CUP), (max, RIGHT_CUP)], ids=["left", "right"])
def test_a_relation_decides_among_look_alikes_that_one_mask_lies_on(least, box):
    def narrow(judged):
        return [least(judged, key=lambda pair: pair[1].box[0])]

    (found,) = find(two_cups(), "red box", segmenter=GroupingSegmenter(), narrow=narrow)
    assert found.box == pytest.approx(box, abs=3)
