"""Much of one kind at once, for one node."""

from __future__ import annotations

import time
from collections.abc import Callable

from lifecycle_msgs.msg import Transition

from fastsam2_ros.lab.hard.case import Case, expect
from fastsam2_ros.lab.hard.session import PATIENCE, Session

_RATE = 200.0
_DESCRIPTIONS, _BOXES, _SETTINGS, _IMAGES, _SUBSCRIBERS, _RESETS, _TRANSITIONS = 2000, 1000, 500, 300, 60, 200, 5
_SLOW = 30.0
"""Seconds after which an answer comes too late. Before floods were bounded it came after 45 and more."""


def _flood(count: int, send: Callable[[int], object]) -> None:
    """Call `send` at 200 Hz."""
    begin = time.monotonic()
    for number in range(count):
        send(number)
        time.sleep(max(0.0, begin + (number + 1) / _RATE - time.monotonic()))


def _after(session: Session) -> str:
    """What the node still does, and after how long."""
    started = time.monotonic()
    session.good()
    seconds = time.monotonic() - started
    expect(seconds < _SLOW, f"the next image is answered after {seconds:.0f} s")
    return f"the next image after {seconds:.1f} s; IoU {session.track_the_world():.2f}"


def _descriptions(session: Session) -> str:
    def send(number: int) -> None:
        session.peer.describe("; ".join(f"thing {number} {part}" for part in range(8)))
        if number % 50 == 0:
            session.peer.send(session.next_stamp(), session.next_frame())

    before = session.peer.status.processed
    _flood(_DESCRIPTIONS, send)
    meanwhile = session.peer.status.processed - before
    started = time.monotonic()
    session.describe("blue ball")
    seconds = time.monotonic() - started
    expect(seconds < _SLOW, f"the newest description is taken up after {seconds:.0f} s")
    return f"{meanwhile} images meanwhile; the newest description after {seconds:.1f} s, {_after(session)}"


def _boxes(session: Session) -> str:
    session.forget()
    _flood(_BOXES, lambda number: session.peer.give_box(number % 200, number % 100, 60, 60))
    session.good()
    session.peer.wait_until(lambda: session.peer.heard["tracks"], "tracks are published", PATIENCE)
    count = len(session.peer.heard["tracks"][-1].objects)
    expect(count <= 8, f"{count} targets, and max_targets is 8")
    return f"{count} targets, {_after(session)}"


def _settings(session: Session) -> str:
    answers = []
    values = ((0.3, True), (7.0, False), ("text", False), (0.253, True))

    def send(number: int) -> None:
        value, good = values[number % len(values)]
        answers.append((session.peer.set_parameters(pruning__max_keep_ratio=value), good))

    _flood(_SETTINGS, send)
    for future, good in answers:
        (result,) = session.peer.result(future, PATIENCE).results
        expect(result.successful == good, f"{'refused' if good else 'taken'}: {result.reason}")
    return f"{_SETTINGS} answered, {_after(session)}"


def _images(session: Session) -> str:
    frames = [session.next_frame() for _ in range(10)]
    for number in range(_IMAGES):
        session.peer.send(session.next_stamp(), frames[number % len(frames)])
    session.good()
    status = session.peer.status
    expect(status.received == status.processed + status.dropped, "received is not processed + dropped")
    return f"{status.received} received, {status.processed} processed so far, {_after(session)}"


def _subscribers(session: Session) -> str:
    for _ in range(_SUBSCRIBERS):
        for topic in ("overlay", "tokens", "labels"):
            session.peer.subscribe(topic, lambda message: None)()
    heard: list[object] = []
    end = session.peer.subscribe("overlay", heard.append)
    for _ in range(20):  # the first may go out before the node knows of it
        session.good()
        if heard:
            break
    session.peer.wait_until(lambda: heard, "an overlay comes", PATIENCE)
    end()
    return f"{3 * _SUBSCRIBERS} of them; an overlay for the last, {_after(session)}"


def _resets(session: Session) -> str:
    answers = []
    _flood(_RESETS, lambda _: answers.append(session.peer.reset()))
    for future in answers:
        expect(session.peer.result(future, PATIENCE).success, "a reset is refused")
    return f"{_RESETS} answered, {_after(session)}"


def _transitions(session: Session) -> str:
    for number in [Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE] * _TRANSITIONS:
        answer = session.peer.result(session.peer.change_state(number), PATIENCE)
        expect(answer.success, f"transition {number} is refused")
        refused = session.peer.result(session.peer.change_state(Transition.TRANSITION_CONFIGURE), PATIENCE)
        expect(not refused.success, "a node that is configured is configured again")
    session.peer.wait_until_active()
    return f"{4 * _TRANSITIONS} answered, {_after(session)}"


_NEXT = "the next image is tracked within 30 s"
CASES = (
    Case("flood of descriptions", f"{_DESCRIPTIONS:,} of 8 new things at 200 Hz: the newest counts; {_NEXT}", _descriptions),
    Case("flood of boxes", f"{_BOXES:,} at 200 Hz: no more than max_targets; {_NEXT}", _boxes),
    Case("flood of settings", f"{_SETTINGS} at 200 Hz, half of them wrong: each is answered; {_NEXT}", _settings),
    Case("flood of images", f"{_IMAGES} at once: received = processed + dropped; {_NEXT}", _images),
    Case("subscribers", f"{3 * _SUBSCRIBERS} come and go: the last gets its picture; {_NEXT}", _subscribers),
    Case("flood of resets", f"{_RESETS} at 200 Hz: each is answered; {_NEXT}", _resets),
    Case("transitions", f"{4 * _TRANSITIONS}, half of them out of turn: each is answered; {_NEXT}", _transitions),
)  # fmt: skip
