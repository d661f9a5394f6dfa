from pathlib import Path

import numpy as np
import pytest

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.make import make_bag as bag_of
from fastsam2_ros.errors import BagError


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_the_bag_holds_the_videos_frames_and_stamps(make_video, tmp_path: Path, storage: str, encoding: str) -> None:
    video = open_frames(make_video())
    assert bag_of(video, tmp_path / "bag", storage=storage, encoding=encoding) == 5
    for original, stored in zip(video, open_frames(tmp_path / "bag"), strict=True):
        assert stored.stamp_ns == original.stamp_ns
        np.testing.assert_array_equal(stored.rgb, original.rgb)


def test_topic_and_frame_id_are_set(make_video, tmp_path: Path) -> None:
    bag_of(open_frames(make_video()), tmp_path / "bag", topic="/left/image", frame_id="left_optical")
    assert {frame.frame_id for frame in open_frames(tmp_path / "bag", "/left/image")} == {"left_optical"}


def test_a_rate_replaces_the_stamps(make_video, tmp_path: Path) -> None:
    bag_of(open_frames(make_video()), tmp_path / "bag", rate=10)
    assert [frame.stamp_ns for frame in open_frames(tmp_path / "bag")] == [n * 100_000_000 for n in range(5)]


def test_start_and_max_frames_choose_a_part(make_video, tmp_path: Path) -> None:
    bag_of(open_frames(make_video(count=20)), tmp_path / "bag", start=0.2, max_frames=3)
    assert [frame.stamp_ns for frame in open_frames(tmp_path / "bag")] == [200_000_000, 240_000_000, 280_000_000]


def test_frames_are_scaled(make_video, tmp_path: Path) -> None:
    bag_of(open_frames(make_video()), tmp_path / "bag", size=(20, 10))
    assert {frame.rgb.shape for frame in open_frames(tmp_path / "bag")} == {(10, 20, 3)}


def test_a_start_after_the_end_is_named(make_video, tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"no frame after 60"):
        bag_of(open_frames(make_video()), tmp_path / "bag", start=60)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_named(make_video, tmp_path: Path, rate: float) -> None:
    with pytest.raises(BagError, match="--rate"):
        bag_of(open_frames(make_video()), tmp_path / "bag", rate=rate)


@pytest.mark.parametrize("topic", ["", "/", "a b", "/1", "/a//b", "/a/", "~/image", "/a\n"])
def test_a_topic_that_ros_has_no_name_for_is_refused(make_video, tmp_path: Path, topic: str) -> None:
    with pytest.raises(BagError, match="no name of a ROS topic"):
        bag_of(open_frames(make_video()), tmp_path / "bag", topic=topic)
    assert not (tmp_path / "bag").exists()
