from functools import lru_cache

import numpy as np
import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.synthetic import motion
from fastsam2_ros.lab.synthetic.compositing import paste
from fastsam2_ros.lab.synthetic.looks import Look
from fastsam2_ros.lab.synthetic.shapes import outline
from fastsam2_ros.lab.synthetic.sprites import thing
from fastsam2_ros.lab.synthetic.world import HELD_OUT_SEED, LEVELS, WorldSequence, generate

SIZE = (120, 160)
SEEDS = range(HELD_OUT_SEED, HELD_OUT_SEED + 8)


@lru_cache(maxsize=64)
def clip(seed: int, level: int) -> WorldSequence:
    return generate(seed, level, 30, SIZE, stride=2)


@pytest.fixture(params=[(seed, level) for level in LEVELS for seed in SEEDS[:3]], ids=str)
def world(request: pytest.FixtureRequest) -> WorldSequence:
    return clip(*request.param)


def looks(world: WorldSequence) -> dict[int, Look]:
    return {item.id: Look(item.colour, item.pattern, item.shape, item.size) for item in world.objects}


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_seed_gives_the_same_clip(level: int) -> None:
    first, second = (generate(5, level, 3, SIZE) for _ in range(2))
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.ids, second.ids)
    assert (first.objects, first.description, first.absent) == (second.objects, second.description, second.absent)


@pytest.mark.parametrize("level", LEVELS)
def test_another_seed_gives_another_clip(level: int) -> None:
    first, second = generate(5, level, 2, SIZE), generate(HELD_OUT_SEED + 5, level, 2, SIZE)
    assert np.abs(first.frames.astype(int) - second.frames).mean() > 5


def test_arrays_have_the_promised_shapes(world: WorldSequence) -> None:
    count = len(world.objects)
    assert world.frames.shape == (30, *SIZE, 3)
    assert world.ids.shape == (30, *SIZE)
    assert world.boxes.shape == (30, count, 4)
    assert world.visible.shape == (30, count)
    assert world.motion.shape == world.stamps_ns.shape == (30,)
    assert [item.id for item in world.objects] == list(range(1, count + 1))
    assert set(np.unique(world.ids)) <= set(range(count + 1))


def test_boxes_are_those_of_the_visible_pixels(world: WorldSequence) -> None:
    for ids, boxes in zip(world.ids, world.boxes, strict=True):
        for number, box in enumerate(boxes, 1):
            rows, columns = np.nonzero(ids == number)
            if rows.size == 0:
                assert np.isnan(box).all()
                continue
            width, height = columns.max() - columns.min() + 1, rows.max() - rows.min() + 1
            np.testing.assert_array_equal(box, [columns.min(), rows.min(), width, height])


def test_the_visible_fraction_is_nought_where_nothing_is_seen_and_only_there(world: WorldSequence) -> None:
    seen = np.stack([(world.ids == item.id).any((1, 2)) for item in world.objects], 1)
    np.testing.assert_array_equal(world.visible > 0, seen)
    assert world.visible.max() <= 1


def test_the_first_frame_shows_the_target(world: WorldSequence) -> None:
    assert world.visible[0, world.target - 1] >= 0.7


def test_the_camera_starts_where_it_is(world: WorldSequence) -> None:
    np.testing.assert_allclose(world.camera[0], [[1, 0, 0], [0, 1, 0]], atol=1e-6)
    assert world.motion[0] == 0


def test_the_first_level_has_one_thing_that_is_never_hidden() -> None:
    for seed in SEEDS:
        world = clip(seed, 1)
        assert len(world.objects) == 1
        assert world.visible.min() > 0.6


@pytest.mark.parametrize("level", [2, 3])
def test_lookalikes_share_something_with_the_target_and_never_everything(level: int) -> None:
    for seed in SEEDS:
        world = clip(seed, level)
        others = looks(world)
        target = others.pop(world.target)
        shared = [target.shared(other) for other in others.values()]
        assert len(shared) >= 3
        assert sum(count in (1, 2) for count in shared) >= 2
        assert max(shared) < 3


@pytest.mark.parametrize("level", [2, 3])
def test_the_description_is_true_of_the_target_alone(level: int) -> None:
    for seed in SEEDS:
        world = clip(seed, level)
        fitting = [number for number, look in looks(world).items() if fits(world.description, look)]
        assert fitting == [world.target]


def test_what_is_absent_is_not_there(world: WorldSequence) -> None:
    assert len(set(world.absent)) == len(world.absent) >= 4
    assert not [text for text in world.absent for look in looks(world).values() if fits(text, look)]


def test_the_second_level_moves_less_than_the_third() -> None:
    slow, fast = (np.mean([clip(seed, level).motion for seed in SEEDS]) for level in (2, 3))
    assert 0 < slow < 0.6 * fast


def test_targets_of_the_third_level_are_hidden_and_seen_again() -> None:
    visible = np.array([clip(seed, 3).visible[:, clip(seed, 3).target - 1] for seed in SEEDS])
    lowest = visible.min(1)
    after = np.array([row[row.argmin() :].max() for row in visible])
    assert (lowest < 0.5).sum() >= 3
    assert ((lowest < 0.5) & (after > lowest + 0.3)).sum() >= 2


def test_some_targets_of_the_third_level_leave_and_return() -> None:
    returned = 0
    for seed in SEEDS:
        seen = clip(seed, 3).visible[:, clip(seed, 3).target - 1] > 0
        gone = np.flatnonzero(~seen)
        returned += gone.size > 0 and seen[gone[-1] :].any()
    assert returned >= 1


def test_frames_between_are_those_of_the_longer_clip_in_time() -> None:
    world = generate(3, 3, 4, SIZE, stride=5)
    np.testing.assert_array_equal(world.stamps_ns, np.round(np.arange(4) * 5e9 / 30))


def test_a_single_frame_can_be_had() -> None:
    assert generate(3, 3, 1, SIZE).frames.shape == (1, *SIZE, 3)


@pytest.mark.parametrize(
    "wrong", [{"level": 0}, {"level": 4}, {"seed": -1}, {"frames": 0}, {"stride": 0}, {"size": (32, 100)}]
)
def test_impossible_arguments_are_named(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        generate(**{"seed": 1, "level": 1, "frames": 1, "size": SIZE, **wrong})


def fits(text: str, look: Look) -> bool:
    """Whether every word of a description is true of a look."""
    words = set(text.split()) - {"the", "small", "large"}
    return words <= set(look.attributes)


def test_the_third_level_bends_things() -> None:
    """Beyond what any affine map does to the first frame's silhouette."""
    rng = np.random.default_rng(0)
    bends = [motion.bends(rng, np.arange(60) / 30, motion.MANNERS[level]) for level in LEVELS for _ in range(20)]
    largest = np.abs(np.array(bends)).reshape(len(LEVELS), -1).max(1)
    assert largest[0] == 0 < largest[1] < largest[2] < 0.2
    assert (np.array(bends)[:, 0] == 0).all()


def test_a_bent_thing_keeps_its_area() -> None:
    look = Look("red", "plain", "bottle")
    sprite = thing(np.random.default_rng(0), look, outline(look.shape, np.random.default_rng(0)), 40, 1.0)
    place = np.array([[40.0, 0, 80], [0, 40, 60]])
    canvas = np.zeros((120, 160, 3), np.uint8)
    straight, bent = (paste(canvas, sprite, place, None, bend) for bend in (0.0, 0.3))
    assert bent[0] == pytest.approx(straight[0], rel=0.01)
    # The ends move to one side by bend * y^2 of the outline's unit, the middle stays.
    tops = [np.flatnonzero(laid[2].any(1))[0] for laid in (straight, bent)]
    shifts = []
    for row in (tops[0] + 2, 60 - straight[1][0].start):
        at = np.flatnonzero(straight[2][row]).mean() + straight[1][1].start
        beside = np.flatnonzero(bent[2][row + straight[1][0].start - bent[1][0].start]).mean() + bent[1][1].start
        shifts.append(beside - at)
    height = 60 - straight[1][0].start - tops[0] - 2
    assert shifts[0] == pytest.approx(0.3 * height**2 / 40, abs=1.0)
    assert shifts[1] == pytest.approx(0, abs=0.5)
