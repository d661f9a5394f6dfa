"""One node that many cases are tried on, and that has to track after each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.hard.case import expect
from fastsam2_ros.lab.hard.peer import Peer, stamps
from fastsam2_ros.lab.hard.workplace import Workplace, world
from fastsam2_ros.lab.process_usage import ProcessUsage
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.results import TrackState

PATIENCE = 120.0
"""Seconds in which a node that works has answered, on a busy machine too."""
_STEP_NS = 100_000_000


class Session:
    """A node with the shipped models, and a peer.

    Args:
        place: where it runs.
        peer: on the same graph.
        name: of the node's process.
        send: publishes an image: stamp in nanoseconds, frame.

    Attributes:
        world: frames in which the description is tracked.
        before: what the node took at first.
    """

    def __init__(self, place: Workplace, peer: Peer, name: str, send: Callable[[int, RgbImage], None]) -> None:
        self.place, self.peer, self.name, self._send = place, peer, name, send
        self.world = world()
        self._stamp = 0
        self._index = 0
        self.before = self.usage()

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *settings: str, compressed: bool = False) -> Iterator[Session]:
        """A session whose node has these parameters, NAME:=VALUE."""
        with Workplace.open(folder) as place, place.peer() as peer:
            transport = ("image_transport:=compressed",) if compressed else ()
            # What cannot be found is searched every two seconds, not twice a second: time is short. Best effort may lose
            # an image on a busy machine, which is no fault of the node.
            name = place.start_node("search_interval:=2.0", "image_reliability:=reliable", *transport, *settings)
            peer.wait_until_active(compressed=compressed)
            yield cls(place, peer, name, peer.send_jpeg if compressed else peer.send)

    @property
    def log(self) -> str:
        """What the node has printed so far."""
        return self.place.processes.text(self.name)

    def usage(self) -> ProcessUsage:
        """What the node takes."""
        return ProcessUsage.of(self.place.processes.pid(self.name))

    def next_stamp(self) -> int:
        """One that no image had yet, and that rises."""
        self._stamp += _STEP_NS
        return self._stamp

    def next_frame(self) -> RgbImage:
        """The world's next, forth and back."""
        count = len(self.world.frames)
        place = self._index % (2 * count - 2)
        self._index += 1
        return np.asarray(self.world.frames[min(place, 2 * count - 2 - place)])

    def good(self, rgb: RgbImage | None = None, stamp_ns: int | None = None) -> float:
        """Send an image that can be used; seconds until it was answered.

        Raises:
            FastSam2Error: it was not, or not with its own stamp and size.
        """
        frame = self.next_frame() if rgb is None else rgb
        stamp = self.next_stamp() if stamp_ns is None else stamp_ns
        return self.answered(lambda: self._send(stamp, frame), stamp, frame.shape[:2])

    def answered(self, send: Callable[[], object], stamp_ns: int, size: tuple[int, ...]) -> float:
        """The same for an image of this stamp and size (H, W) that `send` publishes."""
        self.peer.heard["mask"].clear()
        started = time.monotonic()
        send()
        self.peer.wait_until(
            lambda: stamp_ns in stamps(self.peer.heard["mask"]), f"a mask of the stamp {stamp_ns}", PATIENCE
        )
        seconds = time.monotonic() - started
        mask = next(each for each in self.peer.heard["mask"] if stamp_to_ns(each.header.stamp) == stamp_ns)
        expect((mask.height, mask.width) == size, f"the mask of an image of {size} is {mask.height} x {mask.width}")
        expect(
            set(np.unique(np.frombuffer(mask.data, np.uint8))) <= {0, 255}, "a mask holds other values than 0 and 255"
        )
        return seconds

    def refused(self, publish: Callable[[], object]) -> str:
        """Publish an image that cannot be used; what the node says of it."""
        before = self.peer.status.dropped
        publish()
        self.peer.wait_until(lambda: self.peer.status.dropped > before, "the image is dropped", PATIENCE)
        said = str(self.peer.status.message)
        expect(said and said.isprintable() and len(said) < 1000, f"this is said of it: {said[:100]!r}")
        return said

    def track_the_world(self) -> float:
        """Describe what is in the world and track it; IoU of the last mask with the truth."""
        self.forget()
        self.describe(self.world.description)
        for _ in range(5):
            self.good()
        objects = self.peer.heard["tracks"][-1].objects
        expect([each.description for each in objects] == [self.world.description], "another target is tracked")
        expect(objects[0].state == TrackState.TRACKING, f"the target is {TrackState(objects[0].state).name}")
        mask = np.frombuffer(self.peer.heard["mask"][-1].data, np.uint8).reshape(self.world.ids.shape[1:]) > 0
        truth = self.world.ids[self._shown()] == self.world.target
        overlap = float((mask & truth).sum() / max(1, (mask | truth).sum()))
        expect(overlap > 0.5, f"IoU {overlap:.2f} with the truth")
        return overlap

    def describe(self, text: str) -> None:
        """Publish a description that can be used, and wait until it is taken up."""
        wanted = [part.strip() for part in text.split(";")]
        self.peer.describe(text)
        self.peer.wait_until(lambda: list(self.peer.status.descriptions) == wanted, f"{text!r} is looked for", PATIENCE)

    def forget(self) -> None:
        """Have all targets forgotten; the video begins anew."""
        answer: Any = self.peer.result(self.peer.reset(), PATIENCE)
        expect(answer.success, "the reset is refused")
        self.peer.wait_until(lambda: not self.peer.status.descriptions, "all targets are forgotten", PATIENCE)
        self._index = 0

    def _shown(self) -> int:
        count = len(self.world.frames)
        place = (self._index - 1) % (2 * count - 2)
        return min(place, 2 * count - 2 - place)
