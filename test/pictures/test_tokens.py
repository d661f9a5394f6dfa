from dataclasses import replace

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.pictures.tokens import PALETTE, History, draw_tokens
from fastsam2_ros.results import TargetTokens, TokenView, TrackedObject, TrackResult, TrackState

SIZE = (480, 640)
GRID = (16, 16)
CELL = 30, 40
CUES = ("mask", "context", "text", "uncertainty")


def target(number: int, *cells: tuple[int, int], cue: int = 0) -> TargetTokens:
    kept = np.zeros(GRID, bool)
    for cell in cells:
        kept[cell] = True
    return TargetTokens(number, kept, np.full(GRID, cue, np.int8))


def dense(number: int = 1) -> TargetTokens:
    return TargetTokens(number, np.ones(GRID, bool), np.full(GRID, -1, np.int8))


def result(*targets: TargetTokens, objects: tuple[TrackedObject, ...] = (), **values) -> TrackResult:
    view = TokenView(CUES, targets, full_motion=0.5)
    made = TrackResult(7, SIZE, 0, objects, 0.1, 0.5, 128, 256, tokens=view)
    return replace(made, **values)


def seen(number: int, x: int, y: int, width: int = 60, height: int = 40, description: str = "mug") -> TrackedObject:
    mask = np.zeros(SIZE, bool)
    mask[y : y + height, x : x + width] = True
    box = (float(x), float(y), float(width), float(height))
    return TrackedObject(number, description, TrackState.TRACKING, 0.9, box, (x + 30.0, y + 20.0), mask.sum(), mask)


def grey(value: int = 100) -> np.ndarray:
    return np.full((*SIZE, 3), value, np.uint8)


def history(*results: TrackResult) -> History:
    made = History()
    for each in results:
        made.add(each)
    return made


def picture(shown: TrackResult, frame: np.ndarray | None = None, past: History | None = None) -> np.ndarray:
    return draw_tokens(grey() if frame is None else frame, shown, past or history(shown))


def middle(image: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    """The pixel in the middle of a token, int (3,)."""
    return image[cell[0] * CELL[0] + CELL[0] // 2, cell[1] * CELL[1] + CELL[1] // 2].astype(int)


@pytest.mark.parametrize("light", [0, 100, 255])
@pytest.mark.parametrize("cue", [-1, *range(len(PALETTE))])
def test_kept_tokens_are_brighter_than_dropped_ones(light: int, cue: int) -> None:
    shown = picture(result(target(1, (3, 3), cue=cue)), grey(light))
    assert middle(shown, (3, 3)).sum() > middle(shown, (3, 8)).sum() + 20


def test_dropped_tokens_are_darker_than_the_frame() -> None:
    assert (middle(picture(result(target(1, (3, 3)))), (3, 8)) < 50).all()


@pytest.mark.parametrize("cue", range(len(CUES)))
def test_a_kept_token_has_the_colour_of_its_cue(cue: int) -> None:
    shown = picture(result(target(1, (3, 3), cue=cue)))
    tint = middle(shown, (3, 3)) - middle(shown, (3, 8))  # what is there beside the dimmed frame
    np.testing.assert_allclose(tint / tint.max(), np.array(PALETTE[cue]) / max(PALETTE[cue]), atol=0.03)


def test_a_kept_token_without_a_cue_has_no_colour() -> None:
    assert np.ptp(middle(picture(result(target(1, (3, 3), cue=-1))), (3, 3))) == 0


def test_the_legend_shows_the_colour_of_every_cue_and_of_none() -> None:
    strip = picture(result(target(1, (3, 3))))[400:].reshape(-1, 3)
    assert all((strip == colour).all(1).sum() > 50 for colour in [*PALETTE[: len(CUES)], (220, 220, 220)])
    assert not (strip == PALETTE[len(CUES)]).all(1).any()


def test_tokens_that_any_target_keeps_are_bright() -> None:
    shown = picture(result(target(1, (3, 3), cue=0), target(2, (3, 8), (3, 3), cue=1)))
    first, second, dropped = (middle(shown, cell) for cell in ((3, 3), (3, 8), (6, 6)))
    assert first.argmax() == 2  # the blue of the first target's cue
    assert second.argmax() == 0  # the orange of the second's
    assert dropped.max() < min(first.max(), second.max())


@pytest.mark.parametrize("targets", [(dense(),), (dense(1), target(2, (3, 3))), ()], ids=["one", "two", "none"])
def test_the_frame_is_left_as_it_is_where_nothing_is_dropped(targets: tuple[TargetTokens, ...]) -> None:
    shown = picture(result(*targets), grey())
    np.testing.assert_array_equal(shown[:380], grey()[:380])


def test_all_tokens_and_no_tokens_are_told_apart() -> None:
    assert (picture(result(dense())) != picture(result())).any()


def test_masks_are_outlined_in_white() -> None:
    shown = picture(result(target(1, (3, 3)), objects=(seen(1, 200, 200),)))
    assert (shown[200, 205:255] == 255).all()
    assert (shown[205:235, 200] == 255).all()


def test_labels_of_targets_in_one_place_do_not_cover_each_other() -> None:
    view = result(target(1, (3, 3)), target(2, (3, 3)))
    one = picture(replace(view, objects=(seen(1, 200, 200),)))
    both = picture(replace(view, objects=(seen(1, 200, 200), seen(2, 200, 200, description="spoon"))))
    above = slice(200 - 24, 198)  # where the first one's label is
    np.testing.assert_array_equal(both[above], one[above])
    assert (both[200:240] != one[200:240]).any()


def test_the_motion_bar_grows_with_the_motion_and_stays_in_its_place() -> None:
    widths = [bar_width(picture(result(motion=motion)), row=1) for motion in (0.0, 0.25, 0.5, 50.0)]
    assert widths[0] < widths[1] < widths[2]
    assert widths[1] == pytest.approx(widths[2] / 2, abs=2)
    assert widths[3] == widths[2]


def test_the_budget_bar_is_the_keep_ratio() -> None:
    half, full = (bar_width(picture(result(keep_ratio=ratio)), row=2) for ratio in (0.5, 1.0))
    assert half == pytest.approx(full / 2, abs=2)


def bar_width(image: np.ndarray, row: int) -> int:
    """Pixels of the bar in a row of the strip, counted in its middle."""
    line = image[SIZE[0] - (70 - round(22 * (row + 0.5))) - 7, 60 : SIZE[1] // 3]
    return int((line == 235).all(1).sum())


def test_the_past_is_drawn_up_to_now() -> None:
    past = [result(stamp_ns=second * 10**9, motion=0.5, keep_ratio=1.0) for second in range(4)]
    with_past, without = picture(past[-1], past=history(*past)), picture(past[-1])
    changed = np.flatnonzero((with_past != without).any(axis=(0, 2)))
    left, right = 280, SIZE[1] - 8
    assert changed.max() == pytest.approx(right, abs=3)
    assert changed.min() == pytest.approx(right - (right - left) * 3 / 5, abs=6)


def test_the_history_forgets_what_is_older_than_its_seconds() -> None:
    past = history(*(result(stamp_ns=second * 10**9, motion=float(second)) for second in range(10)))
    assert [motion for _, motion, _ in past] == [4, 5, 6, 7, 8, 9]
    assert [place for place, _, _ in past] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


@pytest.mark.parametrize("stamp_ns", [5 * 10**9, 0], ids=["stands still", "goes back"])
def test_a_stamp_that_does_not_rise_begins_the_history_anew(stamp_ns: int) -> None:
    past = history(result(stamp_ns=5 * 10**9), result(stamp_ns=stamp_ns, motion=0.4))
    assert list(past) == [(1.0, 0.4, 0.5)]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (120, 160), (481, 641), (1080, 1920)])
@pytest.mark.parametrize("targets", [(), (target(1, (0, 0), (15, 15)),), (dense(),)], ids=["none", "pruned", "dense"])
def test_the_picture_has_the_frames_size(size: tuple[int, int], targets: tuple[TargetTokens, ...]) -> None:
    shown = picture(result(*targets, size=size, untrained=True), np.zeros((*size, 3), np.uint8))
    assert (shown.shape, shown.dtype) == ((*size, 3), np.uint8)


def test_the_frame_itself_is_not_changed() -> None:
    frame = grey()
    picture(result(target(1, (3, 3)), objects=(seen(1, 200, 200),)), frame)
    picture(result(dense(), objects=(seen(1, 200, 200),)), frame)
    np.testing.assert_array_equal(frame, grey())


def test_untrained_weights_are_told_in_the_picture() -> None:
    shown = picture(result(untrained=True))
    assert ((shown[:20] == (190, 20, 20)).all(2)).sum() > 1000


def test_a_result_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(480, 640\)"):
        draw_tokens(np.zeros((10, 10, 3), np.uint8), result(), History())


def test_a_result_that_was_not_asked_for_its_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="view_tokens=True"):
        draw_tokens(grey(), result(tokens=None), History())
