import hashlib
import itertools
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastsam2_ros import cli
from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.bags.messages import message_types
from fastsam2_ros.bags.overlay_video import OverlayVideo
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.bags.result_files import LABELS_TOPIC, MASK_TOPIC, TRACKS_TOPIC, ResultFiles
from fastsam2_ros.bags.track_one import run_track
from fastsam2_ros.bags.write import STORAGES
from fastsam2_ros.errors import BagError
from fastsam2_ros.images import ImageDecoder
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.results import TargetTokens, TokenView, TrackedObject, TrackResult, TrackState
from fastsam2_ros.tracker import TextTracker


class FakeTracker:
    """A target with id 300 in a box that moves with the frames, and a lost one with id 301."""

    def __init__(self) -> None:
        self.count = 0

    def set_target(self, text: str) -> None:
        pass

    def step(self, frame: np.ndarray, stamp_ns: int, *, view_tokens: bool) -> TrackResult:
        size = frame.shape[:2]
        mask = np.zeros(size, bool)
        mask[4:10, self.count : self.count + 8] = True
        seen = TrackedObject(
            300, "красная чашка", TrackState.TRACKING, 0.75, (self.count, 4, 8, 6), (self.count + 3.5, 6.5), 48, mask
        )
        lost = TrackedObject(301, "spoon", TrackState.LOST, 0.0, None, None, 0, np.zeros(size, bool))
        stages = {"encode": 0.001 * np.random.default_rng().random()}
        kept = np.arange(16).reshape(4, 4) % 4 < 2
        view = TokenView(("mask",), (TargetTokens(300, kept, np.zeros((4, 4), np.int8)),), 0.5) if view_tokens else None
        result = TrackResult(
            stamp_ns, size, self.count, (seen, lost), 0.25, 0.5, 8, 16, stages, attention_flops=3e9, tokens=view
        )
        self.count += 1
        return result


@pytest.fixture
def tracked(make_bag, tmp_path: Path) -> Path:
    with ResultFiles(tmp_path / "out") as outputs:
        assert run_track(open_frames(make_bag()), FakeTracker(), outputs) == 5
    return tmp_path / "out"


STAMPS = [1_000_000_000 + number * 100_000_000 for number in range(5)]


def test_every_frame_has_a_mask_of_0_and_255(tracked: Path) -> None:
    masks = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted((tracked / "masks").iterdir())]
    assert len(masks) == 5
    for number, mask in enumerate(masks):
        assert mask.dtype == np.uint8
        assert mask.shape == (24, 32)
        assert (mask[4:10, number : number + 8] == 255).all()
        assert np.count_nonzero(mask) == 48


def test_labels_hold_ids_beyond_eight_bits(tracked: Path) -> None:
    labels = cv2.imread(str(tracked / "labels" / "000002.png"), cv2.IMREAD_UNCHANGED)
    assert labels.dtype == np.uint16
    assert set(np.unique(labels)) == {0, 300}


def test_tracks_are_one_json_object_per_frame(tracked: Path) -> None:
    lines = [json.loads(line) for line in (tracked / "tracks.jsonl").read_text("utf-8").splitlines()]
    assert [line["stamp_ns"] for line in lines] == STAMPS
    assert lines[1]["objects"] == [
        {
            "id": 300,
            "description": "красная чашка",
            "state": "TRACKING",
            "score": 0.75,
            "box": [1, 4, 8, 6],
            "centroid": [4.5, 6.5],
            "area": 48,
        },
        {"id": 301, "description": "spoon", "state": "LOST", "score": 0, "box": None, "centroid": None, "area": 0},
    ]
    assert (lines[1]["motion"], lines[1]["keep_ratio"], lines[1]["tokens_kept"]) == (0.25, 0.5, 8)
    assert lines[1]["attention_flops"] == 3e9


@pytest.mark.parametrize("topic", [MASK_TOPIC, LABELS_TOPIC, TRACKS_TOPIC])
def test_the_bag_carries_the_sources_stamp_and_frame(tracked: Path, topic: str) -> None:
    with Bag(tracked / "bag") as bag:
        messages = [message_types().deserialize_cdr(m.data, m.connection.msgtype) for m in bag.messages([topic])]
    assert [stamp_to_ns(message.header.stamp) for message in messages] == STAMPS
    assert {message.header.frame_id for message in messages} == {"optical"}


def test_the_bags_mask_is_mono8_like_the_picture(tracked: Path) -> None:
    with Bag(tracked / "bag") as bag:
        message = message_types().deserialize_cdr(next(bag.messages([MASK_TOPIC])).data, "sensor_msgs/msg/Image")
    assert message.encoding == "mono8"
    mask = ImageDecoder().decode(message.encoding, message.height, message.width, message.step, message.data)[..., 0]
    np.testing.assert_array_equal(mask, cv2.imread(str(tracked / "masks" / "000000.png"), cv2.IMREAD_UNCHANGED))


def test_the_bags_tracks_hold_box_and_state(tracked: Path) -> None:
    with Bag(tracked / "bag") as bag:
        message = list(bag.messages([TRACKS_TOPIC]))[2]
    seen, lost = message_types().deserialize_cdr(message.data, message.connection.msgtype).objects
    assert (seen.id, seen.state, seen.has_box) == (300, 1, True)
    assert (seen.box.x_offset, seen.box.y_offset, seen.box.width, seen.box.height) == (2, 4, 8, 6)
    assert (lost.state, lost.has_box, lost.area) == (3, False, 0)


def test_the_overlay_keeps_the_distances_of_the_stamps(tracked: Path) -> None:
    overlay = list(open_frames(tracked / "overlay.mp4"))
    assert [frame.stamp_ns for frame in overlay] == [number * 100_000_000 for number in range(5)]
    assert overlay[0].rgb.shape == (24, 32, 3)


def test_tokens_are_another_video_where_they_are_asked_for(
    make_bag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TextTracker, "from_config", lambda config: FakeTracker())
    words = ["track", str(make_bag()), "--description", "mug", "--out"]
    assert cli.main([*words, str(tmp_path / "with"), "--tokens"]) == 0
    assert cli.main([*words, str(tmp_path / "without")]) == 0
    assert not (tmp_path / "without" / "tokens.mp4").exists()
    pictures = list(open_frames(tmp_path / "with" / "tokens.mp4"))
    assert [frame.stamp_ns for frame in pictures] == [number * 100_000_000 for number in range(5)]
    kept, dropped = pictures[4].rgb[16:, :16].mean(), pictures[4].rgb[16:, 18:].mean()
    assert kept > dropped + 30


@pytest.mark.parametrize("storage", STORAGES)
def test_two_runs_make_the_same_bytes(make_bag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str) -> None:
    source = open_frames(make_bag())
    digests = []
    for run, seconds in (("fast", 0.0), ("slow", 2.0)):
        monkeypatch.setattr(time, "monotonic", itertools.count(1000.0, seconds).__next__)
        # The same name, since it is written into the bag.
        folder = tmp_path / run / "out"
        with ResultFiles(folder, storage) as outputs:
            run_track(source, FakeTracker(), outputs)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        digests.append([(f.relative_to(folder), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files])
    assert digests[0] == digests[1]
    assert len(digests[0]) == 5 + 5 + 1 + 1 + 2


def test_max_frames_ends_the_run(make_bag, tmp_path: Path) -> None:
    with ResultFiles(tmp_path / "out") as outputs:
        assert run_track(open_frames(make_bag()), FakeTracker(), outputs, max_frames=2) == 2


def test_results_before_a_damage_are_kept(make_bag, tmp_path: Path) -> None:
    bag = make_bag(storage="sqlite3", count=50)
    file = next(bag.glob("*.db3"))
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * 0.99)])
    tracker = FakeTracker()
    with ResultFiles(tmp_path / "out") as outputs, pytest.raises(BagError, match=r"frames before are in .*out"):
        run_track(open_frames(bag), tracker, outputs)
    with Bag(tmp_path / "out" / "bag") as results:
        assert results.count([MASK_TOPIC]) == tracker.count > 0


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BagError, match="not empty"):
        ResultFiles(tmp_path)


@pytest.mark.parametrize("sizes", [[(31, 45)], [(24, 32), (48, 20)], [(1, 1)]])
def test_odd_and_changing_sizes_make_a_video(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    video = OverlayVideo(tmp_path / "overlay.mp4")
    for number, size in enumerate(sizes):
        video.write(np.zeros((*size, 3), np.uint8), number * 10_000_000)
    video.close()
    assert len(list(open_frames(tmp_path / "overlay.mp4"))) == len(sizes)


def test_stamps_that_stand_still_or_go_back_make_a_video(tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "overlay.mp4")
    for stamp in (5_000_000_000, 5_000_000_000, 4_000_000_000, 6_000_000_000):
        video.write(np.zeros((16, 16, 3), np.uint8), stamp)
    video.close()
    stamps = [frame.stamp_ns for frame in open_frames(tmp_path / "overlay.mp4")]
    assert stamps == [0, 1_000_000, 2_000_000, 2_002_000_000]


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
@pytest.mark.parametrize("size", [(1, 1), (2, 20_000), (20_000, 3)])
def test_a_video_is_of_a_size_that_its_encoder_takes(tmp_path: Path, monkeypatch, encoder: str, size) -> None:
    monkeypatch.setattr("fastsam2_ros.bags.overlay_video.ENCODERS", (encoder,))
    video = OverlayVideo(tmp_path / "overlay.mp4")
    for number in range(2):
        video.write(np.zeros((*size, 3), np.uint8), number * 33_000_000)
    video.close()
    assert len(list(open_frames(tmp_path / "overlay.mp4"))) == 2


@pytest.mark.parametrize("content", [None, b"no picture"], ids=["absent", "no picture"])
def test_an_example_that_cannot_be_read_is_told_before_models_are_loaded(tmp_path, capsys, content) -> None:
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), np.zeros((8, 8, 3), np.uint8))
    example = tmp_path / "example.jpg"
    if content is not None:
        example.write_bytes(content)
    assert cli.main(["track", str(tmp_path / "frames"), "--example", str(example)]) == 2
    assert f"The example {example}" in " ".join(capsys.readouterr().err.split())
