import pytest

from fastsam2_ros.node.depth_buffer import DepthBuffer


@pytest.fixture
def buffer():
    return DepthBuffer()


def test_nothing_has_come(buffer):
    buffer.want(10)
    assert buffer.nearest() is None


def test_no_frame_is_wanted(buffer):
    buffer.add(10, "a")
    assert buffer.nearest() is None


@pytest.mark.parametrize(("wanted", "found"), [(100, (0, "b")), (140, (-40, "b")), (160, (40, "c")), (-50, (50, "a"))])
def test_the_nearest_is_found_with_its_distance(buffer, wanted, found):
    for stamp, message in ((0, "a"), (100, "b"), (200, "c")):
        buffer.add(stamp, message)
    buffer.want(wanted)
    assert buffer.nearest() == found


def test_one_that_comes_while_the_frame_is_at_work_counts(buffer):
    buffer.add(0, "a")
    buffer.want(100)
    buffer.add(100, "b")
    assert buffer.nearest() == (0, "b")


def test_the_wanted_one_is_kept_however_many_come(buffer):
    buffer.add(100, "b")
    buffer.want(100)
    for stamp in range(200, 5000):
        buffer.add(stamp, "later")
    assert buffer.nearest() == (0, "b")


def test_another_frame_has_another(buffer):
    buffer.add(100, "b")
    buffer.want(100)
    buffer.add(200, "c")
    buffer.want(190)
    assert buffer.nearest() == (10, "c")


def test_a_clock_that_was_set_back_is_followed(buffer):
    for stamp in (1000, 1100, 10):
        buffer.add(stamp, stamp)
    buffer.want(12)
    assert buffer.nearest() == (-2, 10)


def test_a_few_are_kept_for_the_next_frame(buffer):
    for stamp in range(10_000):
        buffer.add(stamp, stamp)
    buffer.want(0)
    assert buffer.nearest() == (9_992, 9_992)


def test_all_is_forgotten(buffer):
    buffer.want(1)
    buffer.add(1, "a")
    buffer.clear()
    buffer.want(1)
    assert buffer.nearest() is None
