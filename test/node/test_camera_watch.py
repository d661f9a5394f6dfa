from fastsam2_ros.node.camera_watch import CameraWatch


def test_no_camera_is_no_problem():
    watch = CameraWatch("/image")
    assert [watch.update(0, 0, float(now)) for now in range(10)] == [""] * 10


def test_a_camera_whose_images_arrive_is_no_problem():
    watch = CameraWatch("/image")
    assert [watch.update(1, now, float(now)) for now in range(10)] == [""] * 10


def test_a_camera_gets_three_seconds_to_send_its_first_image():
    watch = CameraWatch("/image")
    assert [bool(watch.update(1, 0, now)) for now in (10.0, 11.0, 12.9, 13.0)] == [False, False, False, True]


def test_the_time_counts_from_when_the_camera_was_seen():
    watch = CameraWatch("/image")
    watch.update(0, 0, 0.0)
    watch.update(0, 0, 100.0)
    assert watch.update(1, 0, 101.0) == ""


def test_the_message_names_topic_and_cure():
    watch = CameraWatch("/front/image")
    watch.update(1, 5, 0.0)
    text = watch.update(1, 5, 4.0)
    assert "/front/image" in text
    assert "config/fastdds.xml" in text


def test_an_image_ends_the_problem():
    watch = CameraWatch("/image")
    watch.update(1, 0, 0.0)
    assert watch.update(1, 0, 4.0)
    assert watch.update(1, 1, 5.0) == ""
