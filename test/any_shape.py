"""python test/any_shape.py PART HxW...: three frames of each shape through one part, which is then named on standard output."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ros_domain import own_domain
from small_models import small_sam2

from fastsam2_ros import prune
from fastsam2_ros.bags.frames import Frame, open_frames
from fastsam2_ros.bags.result_files import ResultFiles
from fastsam2_ros.config import LanguageConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.upstream import PREDICTOR
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.pruning.cues import CUES
from fastsam2_ros.streaming.loading import LoadedSam2
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.tracker import TextTracker

STEP = 100_000_000
MINI = LanguageConfig(name="mini", min_margin=-2.0)
"""That finds everything, also in noise."""
ALL_CUES = PruningConfig(**{f"{name}_weight": 0.5 for name in CUES})
Size = tuple[int, int]


def frames(size: Size) -> list[np.ndarray]:
    first = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    return [np.roll(first, index, axis=(0, 1)) for index in range(3)]


def middle(size: Size) -> tuple[float, float, float, float]:
    """A box: half of the frame, a pixel at least."""
    height, width = (max(1, side // 2) for side in size)
    return (size[1] - width) / 2, (size[0] - height) / 2, width, height


@contextmanager
def tracker() -> Iterator[Callable[[Size], None]]:
    made = tracker_of(MINI)

    def track(size: Size) -> None:
        made.reset()
        made.set_target("red mug")
        made.set_box(middle(size))
        made.set_mask(np.ones(size, bool), "everything")
        for index, frame in enumerate(frames(size)):
            result = made.step(frame, index * STEP, view_tokens=True)
            assert len(result.objects) == 3, result.warnings
            assert all(each.mask.shape == size for each in result.objects)
            assert np.isfinite(result.motion)

    yield track


@contextmanager
def plug_in() -> Iterator[Callable[[Size], None]]:
    predictor = small_sam2(PREDICTOR)
    prune(predictor, "red mug", language=MINI)

    def track(size: Size) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for index, frame in enumerate(frames(size)):
                Image.fromarray(frame).save(Path(folder) / f"{index:05d}.jpg")
            state = predictor.init_state(folder)
        x, y, width, height = middle(size)
        predictor.add_new_points_or_box(state, 0, 1, box=[x, y, x + width, y + height])
        masks = [masks for _, _, masks in predictor.propagate_in_video(state)]
        assert [tuple(mask.shape) for mask in masks] == [(1, 1, *size)] * 3

    yield track


@contextmanager
def node() -> Iterator[Callable[[Size], None]]:
    import rclpy
    from node.graph import Graph
    from sensor_msgs.msg import RegionOfInterest

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=own_domain())
    graph = Graph(context, tracker_of(LanguageConfig(name=NONE)))
    stamps = iter(range(1, 1000))

    def track(size: Size) -> None:
        graph.heard.clear()
        x, y, width, height = (int(value) for value in middle(size))
        graph.box.publish(RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height))
        graph.wait_for_status(lambda _: True)  # the box is accepted
        for _ in range(3):
            assert graph.send_good(next(stamps), size).message == ""
        for name in ("mask", "labels", "overlay", "tokens"):
            graph.wait_for(lambda name=name: len(graph.heard[name]) == 3)
            assert {(image.height, image.width) for image in graph.heard[name]} == {size}

    try:
        yield track
    finally:
        graph.close()
        rclpy.try_shutdown(context=context)


@contextmanager
def outputs() -> Iterator[Callable[[Size], None]]:
    """Of `fastsam2 track`: pictures, bag and videos."""
    made = tracker_of(LanguageConfig(name=NONE))

    def track(size: Size) -> None:
        made.reset()
        made.set_mask(np.ones(size, bool), "everything")
        with tempfile.TemporaryDirectory() as folder:
            with ResultFiles(Path(folder) / "out", tokens=True) as out:
                for index, frame in enumerate(frames(size)):
                    result = made.step(frame, index * STEP, view_tokens=True)
                    out.write(index, Frame(index * STEP, index * STEP, "camera", frame), result)
            for video in ("overlay.mp4", "tokens.mp4"):
                assert len(list(open_frames(Path(folder) / "out" / video))) == 3

    yield track


def tracker_of(language: LanguageConfig) -> TextTracker:
    config = TrackerConfig(pruning=ALL_CUES, language=language, max_targets=64)
    sam = LoadedSam2(StreamingSam2(small_sam2()), untrained=True)
    return TextTracker(sam, TextSearch(language, torch.device("cpu")), config)


PARTS = {"tracker": tracker, "plug-in": plug_in, "node": node, "outputs": outputs}

if __name__ == "__main__":
    torch.set_num_threads(1)
    part, *shapes = sys.argv[1:]
    with PARTS[part]() as run:
        for shape in shapes:
            height, width = map(int, shape.split("x"))
            run((height, width))
            print(shape, flush=True)
