"""`fastsam2 replay`: a bag's topics into the ROS graph, bytes unchanged."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastsam2_ros.bags.graph import joined_graph, message_class, qos_to_publish
from fastsam2_ros.bags.messages import IMAGE_TYPES
from fastsam2_ros.bags.read import Bag
from fastsam2_ros.errors import BagError

EXAMPLE = "fastsam2 replay kitchen_bag --hz 30 --remap /camera/image_raw:=/image"

_POLL_SECONDS = 0.02
# A subscriber that this side knows may not know this side yet: messages sent in between would be lost.
_SETTLE_SECONDS = 0.3
_ACKNOWLEDGE_SECONDS = 5.0
_CLOCK = "/clock"

_log = logging.getLogger(__name__)


@dataclass
class Report:
    """How a replay went.

    Attributes:
        sent: messages by topic.
        seconds: from the first message to the last.
        lateness: by how much each message was sent after its time, seconds.
    """

    sent: dict[str, int]
    seconds: float = 0.0
    lateness: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        total = sum(self.sent.values())
        topics = ", ".join(f"{count} on {topic}" for topic, count in self.sent.items())
        late = [1000 * value for value in self.lateness] or [0.0]
        return (
            f"sent {total} messages in {self.seconds:.2f} s ({topics}); "
            f"late by {sum(late) / len(late):.1f} ms on average, {max(late):.1f} ms at most"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("bag", type=Path, help="folder of the bag, or its .mcap or .db3 file")
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--rate", type=float, default=1.0, help="times the recorded speed (default: %(default)s)")
    speed.add_argument("--hz", type=float, help="the speed at which images come at so many Hz")
    parser.add_argument("--loop", action="store_true", help="start again at the end, until Ctrl-C")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="leave the first S seconds out")
    parser.add_argument("--clock", action="store_true", help="publish the time of recording on /clock")
    parser.add_argument("--topics", nargs="+", default=[], metavar="TOPIC", help="only these topics")
    parser.add_argument(
        "--remap", action="append", type=remapping, default=[], metavar="FROM:=TO", help="rename a topic"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=10.0,
        metavar="S",
        help="wait up to S seconds until every image topic has its subscribers; 0: do not wait (default: %(default)s)",
    )
    parser.add_argument(
        "--wait-for",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="wait for these topics' subscribers, not for all images'",
    )
    parser.add_argument(
        "--subscribers", type=int, default=1, metavar="N", help="so many of them to wait for (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Replay, and print a report."""
    with Bag(arguments.bag) as bag:
        rate = arguments.rate if arguments.hz is None else rate_for(bag, arguments.hz, arguments.topics)
        if not 0 < rate < float("inf"):
            raise BagError(f"The rate is {rate}; it must be above 0.")
        report = replay(
            bag,
            rate=rate,
            loop=arguments.loop,
            topics=arguments.topics,
            remap=dict(arguments.remap),
            wait_seconds=arguments.wait,
            wait_for=arguments.wait_for,
            subscribers=arguments.subscribers,
            start_seconds=arguments.start,
            clock=arguments.clock,
        )
    print(report)


def replay(
    bag: Bag,
    *,
    rate: float = 1.0,
    loop: bool = False,
    topics: Sequence[str] = (),
    remap: Mapping[str, str] | None = None,
    wait_seconds: float = 10.0,
    wait_for: Sequence[str] = (),
    subscribers: int = 1,
    start_seconds: float = 0.0,
    clock: bool = False,
) -> Report:
    """Publish the messages of a bag at the times they were recorded, until its end or Ctrl-C.

    Args:
        bag: open.
        rate: times the recorded speed, above 0.
        loop: start again at the end.
        topics: only these; empty: all.
        remap: new names of topics.
        wait_seconds: longest wait for the subscribers of each image topic.
        wait_for: topics whose subscribers are waited for instead, by their new names.
        subscribers: so many of them.
        start_seconds: what comes before is left out, seconds after the first message.
        clock: publish each message's time of recording on /clock, before it.

    Raises:
        BagError: no such topic, no message type of them installed, rclpy not there, or the bag is damaged.
    """
    if not 0 <= start_seconds * 1e9 <= bag.duration_ns:
        raise BagError(f"The start is {start_seconds} s, and the bag lasts {bag.duration_ns / 1e9:.2f} s.")
    missing = [topic for topic in topics if topic not in bag.topics()]
    if missing:
        raise BagError(f"The bag {bag.path} has no topic {', '.join(missing)}; it has {', '.join(bag.topics())}.")
    with joined_graph("fastsam2_replay") as (node, stop):
        publishers = _publishers(bag, node, topics, remap or {})
        images = {item.topic for item in bag.connections if item.msgtype in IMAGE_TYPES}
        if clock:
            publishers[_CLOCK] = node.create_publisher(message_class("rosgraph_msgs/msg/Clock"), _CLOCK, 10)
        awaited = [
            publisher
            for topic, publisher in publishers.items()
            if (publisher.topic_name in wait_for if wait_for else topic in images)
        ]
        _wait_for_subscribers(awaited, subscribers, wait_seconds, stop)
        report = Report({publisher.topic_name: 0 for topic, publisher in publishers.items() if topic != _CLOCK})
        try:
            _publish(bag, publishers, rate, loop, stop, report, round(start_seconds * 1e9))
        finally:
            _flush(publishers.values(), stop)
    return report


def rate_for(bag: Bag, hertz: float, topics: Sequence[str] = ()) -> float:
    """The replay rate at which the images of a bag come at `hertz`, on average over the bag.

    Raises:
        BagError: the bag has no two images.
    """
    images = [item for item in bag.connections if item.msgtype in IMAGE_TYPES and (not topics or item.topic in topics)]
    count = max((item.msgcount for item in images), default=0)
    if count < 2 or not bag.duration_ns:
        raise BagError(f"--hz needs a bag with images at several times; {bag.path} has {count}. Use --rate.")
    return hertz * bag.duration_ns / 1e9 / (count - 1)


def remapping(text: str) -> tuple[str, str]:
    """Old and new name of a text such as /camera/image_raw:=/image."""
    old, _, new = text.partition(":=")
    if not old or not new:
        raise argparse.ArgumentTypeError(f"{text!r} is no remapping such as /camera/image_raw:=/image")
    return old, new


def _publishers(bag: Bag, node: Any, topics: Sequence[str], remap: Mapping[str, str]) -> dict[str, Any]:
    """A publisher for each topic of the bag whose message type is installed."""
    publishers: dict[str, Any] = {}
    trouble: BagError | None = None
    for item in bag.connections:
        if (topics and item.topic not in topics) or item.topic in publishers:
            continue
        try:
            kind = message_class(item.msgtype)
        except BagError as error:
            _log.warning("%s is left out: %s", item.topic, error)
            trouble = error
            continue
        qos = qos_to_publish(getattr(item.ext, "offered_qos_profiles", ()))
        publishers[item.topic] = node.create_publisher(kind, remap.get(item.topic, item.topic), qos)
    if not publishers:
        raise trouble or BagError(f"The bag {bag.path} has no topics.")
    return publishers


def _wait_for_subscribers(publishers: Sequence[Any], count: int, seconds: float, stop: Event) -> None:
    if not publishers or seconds <= 0:
        return
    end = time.monotonic() + seconds
    while lonely := [item.topic_name for item in publishers if item.get_subscription_count() < count]:
        if time.monotonic() > end:
            wanted = "No subscriber" if count == 1 else f"Fewer than {count} subscribers"
            _log.warning("%s on %s after %g s; going on without.", wanted, ", ".join(lonely), seconds)
            return
        if stop.wait(_POLL_SECONDS):
            return
    stop.wait(_SETTLE_SECONDS)


def _publish(
    bag: Bag, publishers: Mapping[str, Any], rate: float, loop: bool, stop: Event, report: Report, start_ns: int
) -> None:
    topics = [topic for topic in publishers if topic != _CLOCK]
    total = bag.count(topics)
    # One more interval lies between the last message and the first of the next round.
    round_seconds = (bag.duration_ns - start_ns) / 1e9 / rate * (total / (total - 1) if total > 1 else 1)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("replaying", total=None if loop else total)
        start, first_ns, rounds = time.monotonic(), None, 0
        while not stop.is_set():
            for message in bag.messages(topics):
                first_ns = message.time_ns + start_ns if first_ns is None else first_ns
                if message.time_ns < first_ns:
                    continue
                # From the start, not from the last message: delays do not add up.
                due = start + rounds * round_seconds + (message.time_ns - first_ns) / 1e9 / rate
                if stop.wait(max(0.0, due - time.monotonic())):
                    break
                publisher = publishers[message.connection.topic]
                if _CLOCK in publishers:
                    publishers[_CLOCK].publish(_clock_message(message.time_ns))
                publisher.publish(message.data)
                now = time.monotonic()
                report.lateness.append(now - due)
                report.sent[publisher.topic_name] += 1
                report.seconds = now - start
                progress.advance(task)
            rounds += 1
            if not loop or first_ns is None:
                return


def _clock_message(time_ns: int) -> Any:
    message = message_class("rosgraph_msgs/msg/Clock")()
    message.clock.sec, message.clock.nanosec = divmod(time_ns, 1_000_000_000)
    return message


def _flush(publishers: Any, stop: Event) -> None:
    """Leave time for the last messages to arrive: they are gone with their publisher."""
    from rclpy.duration import Duration

    if not stop.is_set():
        for publisher in publishers:
            publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_SECONDS))
        stop.wait(_SETTLE_SECONDS)
