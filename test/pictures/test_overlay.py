import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.pictures.overlay import color_of, draw
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

SIZE = (120, 200)


def target(number: int = 1, description: str = "red mug", box: tuple[int, int, int, int] | None = (60, 40, 50, 30)):
    mask = np.zeros(SIZE, bool)
    if box:
        x, y, width, height = box
        mask[y : y + height, x : x + width] = True
    state = TrackState.TRACKING if box else TrackState.LOST
    centroid = (85.0, 55.0) if box else None
    return TrackedObject(number, description, state, 0.9, box, centroid, int(mask.sum()), mask)


def result(*objects: TrackedObject, untrained: bool = False, stage_seconds: dict | None = None) -> TrackResult:
    return TrackResult(7, SIZE, 0, objects, 0.1, 0.5, 32, 64, stage_seconds or {}, (), untrained)


def grey() -> np.ndarray:
    return np.full((*SIZE, 3), 100, np.uint8)


def test_the_frame_itself_is_not_changed() -> None:
    frame = grey()
    draw(frame, result(target()))
    np.testing.assert_array_equal(frame, grey())


def test_the_mask_is_tinted_with_its_ids_color() -> None:
    picture = draw(grey(), result(target()))
    expected = 100 * 0.55 + np.array(color_of(1)) * 0.45
    np.testing.assert_allclose(picture[55, 85], expected, atol=1)


def test_what_is_not_of_a_mask_box_or_text_stays() -> None:
    picture = draw(grey(), result(target()))
    np.testing.assert_array_equal(picture[80:105, 130:], grey()[80:105, 130:])


def test_two_targets_have_two_colors() -> None:
    picture = draw(grey(), result(target(1, box=(20, 40, 30, 30)), target(2, box=(120, 40, 30, 30))))
    assert np.abs(picture[55, 35].astype(int) - picture[55, 135]).max() > 50


def test_untrained_weights_are_told_in_the_picture() -> None:
    trained, untrained = draw(grey(), result()), draw(grey(), result(untrained=True))
    top = untrained[:9].astype(int) - trained[:9]
    assert (np.abs(top).sum(2) > 0).mean() > 0.5


@pytest.mark.parametrize(
    "description", ["", "красная чашка", "赤いマグ", "a\nb\tc", "x" * 10_000, "☕\u200d\U0001f9ff"]
)
def test_any_description_can_be_drawn(description: str) -> None:
    assert draw(grey(), result(target(description=description))).shape == (*SIZE, 3)


@pytest.mark.parametrize(("one", "other"), [("è", "é"), ("ш", "щ")])
def test_letters_beyond_ascii_are_drawn_as_themselves(one: str, other: str) -> None:
    # A font that lacks letters draws them all alike; matplotlib's has these.
    pytest.importorskip("matplotlib")
    first, second = (draw(grey(), result(target(description=letter))) for letter in (one, other))
    assert (first != second).any()


@pytest.mark.parametrize("box", [(0, 0, 200, 120), (199, 119, 1, 1), (0, 0, 1, 1)])
def test_boxes_at_the_border_are_drawn(box: tuple[int, int, int, int]) -> None:
    assert (draw(grey(), result(target(box=box))) != draw(grey(), result())).any()


def test_a_lost_target_leaves_no_mask_or_box() -> None:
    lost, none = draw(grey(), result(target(box=None))), draw(grey(), result())
    np.testing.assert_array_equal(lost[:100], none[:100])


def test_a_result_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(120, 200\)"):
        draw(np.zeros((10, 10, 3), np.uint8), result())


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
def test_tiny_frames_can_be_drawn_on(size: tuple[int, int]) -> None:
    empty = TrackResult(0, size, 0, (), 0.0, 1.0, 1, 1, {"encode": 0.1}, (), True)
    assert draw(np.zeros((*size, 3), np.uint8), empty).shape == (*size, 3)
