"""Whatever box is given, it becomes a part of the frame or an `InputError`; and a mask's box is tight."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastsam2_ros.errors import InputError
from fastsam2_ros.message_fields import region_of_interest
from fastsam2_ros.results import TrackedObject, TrackState
from fastsam2_ros.streaming.prompts import Prompt, box_mask, check_box, clip_box

numbers = st.floats() | st.integers(-50, 50).map(float) | st.sampled_from([1e-300, 39.999999999999996, 1e308, -0.0])
boxes = st.tuples(numbers, numbers, numbers, numbers)
inside = st.tuples(st.floats(-30, 40), st.floats(-30, 40), st.floats(1e-9, 60), st.floats(1e-9, 60))
sizes = st.tuples(st.integers(1, 50), st.integers(1, 50))


@given(boxes | inside, sizes)
def test_a_box_is_clipped_to_the_frame_or_refused(box, size) -> None:
    try:
        x, y, width, height = clip_box(box, size)
    except InputError:
        return
    assert x >= 0
    assert y >= 0
    assert width > 0
    assert height > 0
    assert x + width <= math.nextafter(size[1], math.inf)
    assert y + height <= math.nextafter(size[0], math.inf)
    assert np.isfinite(Prompt.from_box((x, y, width, height)).points).all()


@given(inside, sizes)
def test_what_is_refused_has_no_part_in_the_frame(box, size) -> None:
    x, y, width, height = box
    outside = x >= size[1] or y >= size[0] or x + width <= 0 or y + height <= 0
    lost = x + width == x or y + height == y  # too small for its place
    if outside or lost:
        with pytest.raises(InputError, match="outside the frame"):
            clip_box(box, size)
    else:
        clip_box(box, size)


@given(boxes | inside, sizes)
def test_a_clipped_box_covers_pixels_and_is_a_region_of_the_frame(box, size) -> None:
    try:
        part = clip_box(box, size)
    except InputError:
        return
    rows, columns = np.nonzero(box_mask(part, size))
    assert len(rows)
    region = region_of_interest(part)
    assert region["x_offset"] == columns.min()
    assert region["y_offset"] == rows.min()
    assert region["x_offset"] + region["width"] == columns.max() + 1
    assert region["y_offset"] + region["height"] == rows.max() + 1


@given(boxes)
def test_four_finite_numbers_with_an_area_are_a_box_and_nothing_else_is(box) -> None:
    good = all(math.isfinite(value) for value in box) and box[2] > 0 and box[3] > 0
    try:
        check_box(box)
    except InputError:
        assert not good
    else:
        assert good


@given(sizes, st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_masks_box_is_tight_and_its_centroid_inside(size, seed, share) -> None:
    mask = np.random.default_rng(seed).random(size) < share**3
    found = TrackedObject.of_mask(1, "mug", TrackState.TRACKING, 0.5, mask)
    assert found.area == mask.sum()
    if found.box is None:
        assert not mask.any()
        return
    region = region_of_interest(found.box)
    part = mask[region["y_offset"] :, region["x_offset"] :][: region["height"], : region["width"]]
    assert part.sum() == found.area
    assert part[0].any() and part[-1].any() and part[:, 0].any() and part[:, -1].any()  # noqa: PT018
    rows, columns = np.nonzero(mask)
    assert found.centroid == pytest.approx((columns.mean(), rows.mean()))
