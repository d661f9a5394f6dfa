from pathlib import Path

import cv2
import numpy as np
import pytest

from fastsam2_ros.bags.frames import Frame, open_frames
from fastsam2_ros.bags.messages import COMPRESSED_IMAGE, IMAGE, header, image_message, message_types
from fastsam2_ros.bags.write import BagWriter
from fastsam2_ros.errors import BagError


def assert_is_numbered(frames: list[Frame], count: int = 5, tolerance: int = 0) -> None:
    assert len(frames) == count
    for number, frame in enumerate(frames):
        assert frame.rgb.dtype == np.uint8
        assert frame.rgb.shape == (24, 32, 3)
        np.testing.assert_allclose(frame.rgb, 10 + 20 * number, atol=tolerance)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_gives_its_frames(make_bag, storage: str, encoding: str) -> None:
    source = open_frames(make_bag(storage=storage, encoding=encoding))
    assert source.length == 5
    assert_is_numbered(list(source))


def test_a_bags_frames_carry_the_headers_stamp_and_frame(make_bag) -> None:
    frames = list(open_frames(make_bag()))
    assert [frame.stamp_ns for frame in frames] == [1_000_000_000 + n * 100_000_000 for n in range(5)]
    assert {frame.frame_id for frame in frames} == {"optical"}


def test_frames_can_be_read_twice(make_bag) -> None:
    source = open_frames(make_bag())
    assert [f.stamp_ns for f in source] == [f.stamp_ns for f in source]


@pytest.mark.parametrize("topic", ["/left", "left"])
def test_one_topic_of_several_is_read(make_bag, topic: str) -> None:
    assert_is_numbered(list(open_frames(make_bag(topics=["/left", "/right"]), topic)))


def test_several_image_topics_are_listed(make_bag) -> None:
    with pytest.raises(BagError, match="--topic: /left, /right"):
        open_frames(make_bag(topics=["/left", "/right"]))


def test_a_missing_topic_is_named_with_those_that_are_there(make_bag) -> None:
    with pytest.raises(BagError, match="no image topic /depth; its image topics are /left, /right"):
        open_frames(make_bag(topics=["/left", "/right"]), "/depth")


def test_a_bag_without_images_lists_its_topics(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/chatter", "std_msgs/msg/String")
        bag.write("/chatter", 1, message_types().types["std_msgs/msg/String"]("hello"))
    with pytest.raises(BagError, match="its topics are /chatter"):
        open_frames(tmp_path / "bag")


def test_an_image_topic_without_messages_is_an_error(make_bag) -> None:
    with pytest.raises(BagError, match="has no messages"):
        list(open_frames(make_bag(count=0)))


def test_compressed_images_are_read(picture, tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image/compressed", COMPRESSED_IMAGE)
        for number in range(5):
            data = cv2.imencode(".png", picture(number))[1].reshape(-1)
            message = message_types().types[COMPRESSED_IMAGE](header(number, "camera"), "png", data)
            bag.write("/image/compressed", number, message)
    assert_is_numbered(list(open_frames(tmp_path / "bag")))


def test_a_frame_that_cannot_be_used_is_left_out(picture, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image", IMAGE)
        for number in range(3):
            message = image_message(picture(number), "rgb8", number, "camera")
            if number == 1:
                message.encoding = "rgb9"
            bag.write("/image", number, message)
    assert [frame.stamp_ns for frame in open_frames(tmp_path / "bag")] == [0, 2]
    assert "message 1: The image's encoding is 'rgb9'" in caplog.text


def test_a_bag_whose_frames_are_all_unusable_is_an_error(picture, tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image", IMAGE)
        message = image_message(picture(0), "rgb8", 5, "camera")
        message.data = message.data[:-1]
        bag.write("/image", 5, message)
    with pytest.raises(BagError, match="truncated"):
        list(open_frames(tmp_path / "bag"))


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in {".mcap", ".db3"})


def cut(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_truncated_bag_is_named(make_bag, storage: str, share: float) -> None:
    bag = make_bag(storage=storage, count=50)
    cut(storage_file(bag), share)
    with pytest.raises(BagError, match=f"{bag.name}.* is (truncated or )?damaged"):
        list(open_frames(bag))


def test_frames_before_the_damage_are_delivered(make_bag) -> None:
    bag = make_bag(storage="sqlite3", count=50)
    cut(storage_file(bag), 0.99)
    frames = iter(open_frames(bag))
    assert_is_numbered([next(frames) for _ in range(12)], count=12)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_without_metadata_is_read_from_its_file(make_bag, storage: str) -> None:
    bag = make_bag(storage=storage)
    (bag / "metadata.yaml").unlink()
    assert_is_numbered(list(open_frames(bag)))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_storage_file_is_read_by_itself(make_bag, storage: str) -> None:
    assert_is_numbered(list(open_frames(storage_file(make_bag(storage=storage)))))


@pytest.mark.parametrize("text", ["", "a: [", "rosbag2_bagfile_information: 3"])
def test_a_damaged_metadata_file_is_named(make_bag, text: str) -> None:
    bag = make_bag()
    (bag / "metadata.yaml").write_text(text)
    with pytest.raises(BagError, match="truncated or damaged"):
        open_frames(bag)


def test_a_ros_1_bag_says_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(BagError, match="rosbags-convert"):
        open_frames(tmp_path / "old.bag")


def test_a_video_gives_its_frames_with_its_own_stamps(make_video) -> None:
    source = open_frames(make_video())
    frames = list(source)
    assert source.length == 5
    assert_is_numbered(frames, tolerance=6)
    assert [frame.stamp_ns for frame in frames] == [number * 40_000_000 for number in range(5)]


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(BagError, match=r"notes\.txt cannot be opened as a video"):
        open_frames(tmp_path / "notes.txt")


def test_a_truncated_video_is_named(make_video) -> None:
    video = make_video(count=50)
    cut(video, 0.5)
    with pytest.raises(BagError, match=video.name):
        list(open_frames(video))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
def test_a_folder_gives_its_images_by_name(picture, tmp_path: Path, suffix: str) -> None:
    for number in reversed(range(5)):
        cv2.imwrite(str(tmp_path / f"{number:03}{suffix}"), picture(number))
    (tmp_path / "readme.txt").write_text("not an image")
    source = open_frames(tmp_path)
    frames = list(source)
    assert source.length == 5
    assert_is_numbered(frames, tolerance=2)
    assert [frame.stamp_ns for frame in frames] == [0, 33333333, 66666667, 100000000, 133333333]


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("not an image")
    with pytest.raises(BagError, match="neither a bag nor images"):
        open_frames(tmp_path)


def test_a_damaged_image_in_a_folder_is_named_after_those_before_it(picture, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), picture(0))
    (tmp_path / "1.png").write_bytes(b"junk")
    frames = iter(open_frames(tmp_path))
    assert next(frames).rgb.shape == (24, 32, 3)
    with pytest.raises(BagError, match=r"1\.png"):
        next(frames)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"no bag, video or image folder .*nothing"):
        open_frames(tmp_path / "nothing")


@pytest.mark.parametrize(("name", "count", "size"), [("03_blocks.mp4", None, (720, 1280))])
def test_real_video_is_read(name: str, count, size: tuple[int, int]) -> None:
    video = Path(__file__).parents[3] / "shared" / "video" / name
    if not video.exists():
        pytest.skip(f"no {video}")
    source = open_frames(video)
    first, second, *_ = (frame for frame, _ in zip(source, range(3), strict=False))
    assert first.rgb.shape == (*size, 3)
    assert second.stamp_ns > first.stamp_ns
