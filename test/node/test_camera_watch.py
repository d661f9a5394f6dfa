import pytest

from fastsam2_ros.node.camera_watch import CameraWatch

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@pytest.fixture
def watch():
    return CameraWatch("/front/image", IMAGE, 0.0)


def after(watch, rate, seconds):
    """The watch after a camera has sent at `rate` Hz for so many seconds; looked at once a second."""
    for now in range(seconds + 1):
        assert watch.update([IMAGE], 1 + int(now * rate), float(now)) == ""
    return watch


def test_no_camera_is_no_problem(watch):
    assert [watch.update([], 0, float(now)) for now in range(10)] == [""] * 10


def test_a_camera_whose_images_arrive_is_no_problem(watch):
    after(watch, 30, 10)


def test_a_camera_gets_three_seconds_to_send_its_first_image(watch):
    assert [bool(watch.update([IMAGE], 0, now)) for now in (10.0, 11.0, 12.9, 13.0)] == [False, False, False, True]


def test_the_time_counts_from_when_the_camera_was_seen(watch):
    watch.update([], 0, 0.0)
    watch.update([], 0, 100.0)
    assert watch.update([IMAGE], 0, 101.0) == ""


def test_the_cure_for_shared_memory_is_named_where_no_image_ever_came(watch):
    watch.update([IMAGE], 0, 0.0)
    text = watch.update([IMAGE], 0, 4.0)
    assert all(word in text for word in ("/front/image", "config/fastdds.xml", "--ipc=host"))


def test_a_camera_that_has_sent_images_is_not_told_of_shared_memory(watch):
    text = after(watch, 30, 5).update([IMAGE], 151, 20.0)
    assert "15 s" in text
    assert "fastdds" not in text


def test_a_publisher_that_has_gone_is_told_with_the_time_since(watch):
    text = after(watch, 30, 5).update([], 151, 25.0)
    assert "20 s" in text
    assert "gone" in text


def test_an_image_ends_the_problem(watch):
    watch.update([IMAGE], 0, 0.0)
    assert watch.update([IMAGE], 0, 4.0)
    assert watch.update([IMAGE], 1, 5.0) == ""


@pytest.mark.parametrize("kinds", [[COMPRESSED], [COMPRESSED, "std_msgs/msg/String"]])
def test_a_publisher_of_another_type_is_named_as_that_at_once(watch, kinds):
    text = watch.update(kinds, 0, 0.0)
    assert all(kind in text for kind in [*kinds, IMAGE])
    assert "image_transport" in text


def test_another_type_beside_the_right_one_is_no_problem(watch):
    assert watch.update([IMAGE, COMPRESSED], 0, 0.0) == ""


def test_a_camera_of_a_tenth_of_a_hertz_is_no_problem(watch):
    after(watch, 0.1, 60)


def test_a_slow_camera_that_stops_is_told_in_the_end(watch):
    after(watch, 0.1, 60)
    assert watch.update([IMAGE], 7, 99.0) == ""
    assert "41 s" in watch.update([IMAGE], 7, 101.0)


@pytest.mark.parametrize(("images", "patience"), [(1, 15), (2, 3)], ids=["its rate is not known", "it is fast"])
def test_a_camera_that_stops_at_once_is_judged_by_what_is_known_of_its_rate(watch, images, patience):
    watch.update([IMAGE], images, 1.0)
    assert watch.update([IMAGE], images, 0.5 + patience) == ""
    assert watch.update([IMAGE], images, 1.5 + patience)


def test_the_silence_is_counted_from_the_last_image(watch):
    assert watch.silence(5.0) is None
    assert after(watch, 30, 5).silence(9.0) == 4.0
