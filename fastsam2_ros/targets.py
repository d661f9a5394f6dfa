"""Who is tracked: each target's state, who named it, and the ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.language import descriptions
from fastsam2_ros.language.finder import Wanted
from fastsam2_ros.look import SAME_LOOK, Look
from fastsam2_ros.pruning.state import PruningState
from fastsam2_ros.results import Box, TrackedObject, TrackState
from fastsam2_ros.streaming.memory import TargetMemory

MAX_ID = 65535
"""Ids have to fit the 16 bits of the labels image."""


SLOWEST_SEARCH = 4.0
"""Searches that find nothing become rarer, each time by half, until their interval is that many times as long."""


JUST_LOST_SECONDS = 3.0
"""For so long after a target was last seen, it is searched twice as often as `search_interval` says: most come back soon."""

SIGHTINGS = 3
"""Searches in a row in which something that was searched in vain before has to be found in one place: the more often a text is
looked for that is not there, the surer something is taken for it once.
"""

LOOK_INTERVAL = 0.19
"""Seconds between two searches by look in that time; then `search_interval`."""


def interval_after(failures: int, config: TrackerConfig) -> float:
    """Seconds from one search to the next, after so many in a row that came to nothing."""
    # The exponent is bounded too: a float ends at 2 ** 1023.
    return config.search_interval * min(2.0 ** min(failures, 16), SLOWEST_SEARCH)


@dataclass(eq=False)
class Target:
    """What the tracker knows of one target.

    Attributes:
        description: text.
        by_text: a text named it, and may end it; else a box or a mask was given.
        searchable: it can be found again by its text or example.
        pruning: what pruning carries of it, its last mask and score included.
        id: 1 to 65535; 0 until it was found or given.
        memory: None until then.
        since_search: seconds since it was last searched.
        example: (D,), the embedding of a picture of it, which is searched in place of its text; None: the text is.
        failed_searches: in a row, since it was last seen.
        looks: when it was first found, and when it was last seen with certainty and like that.
        alike: likeness of its mask in the last frame to its looks (`look.likeness`).
        alike_first: the same to the first of them.
        unlike: seconds since it was last seen and looked like itself.
        since_look: seconds since it was last searched by its look.
        refused: why what the last search found was not taken; empty: nothing was found, it was taken, or seen since.
        sighted: box, as shares of this frame, of what the last search found and is not taken yet; None: there is no such thing.
        sightings: how many searches in a row found it.
    """

    description: str
    by_text: bool
    searchable: bool
    pruning: PruningState
    id: int = 0
    state: TrackState = TrackState.SEARCHING
    memory: TargetMemory | None = None
    since_search: float = float("inf")
    example: Tensor | None = None
    failed_searches: int = 0
    refused: str = ""
    sighted: Box | None = None
    sightings: int = 0
    looks: tuple[Look, ...] = ()
    alike: float = 1.0
    alike_first: float = 1.0
    unlike: float = 0.0
    since_look: float = float("inf")

    def copy(self) -> Target:
        """One that changes by itself."""
        memory = None if self.memory is None else self.memory.copy()
        return replace(self, pruning=self.pruning.copy(), memory=memory)

    def found(self) -> None:
        """It was prompted in this frame, which `pruning` knows already."""
        self.sighted, self.sightings = None, 0
        self.state = TrackState.TRACKING if self.pruning.certain else TrackState.UNCERTAIN
        self.alike, self.unlike = 1.0, 0.0

    def observe(self, seconds: float, config: TrackerConfig) -> None:
        """Move to the next state after a frame, which `pruning` knows already.

        Args:
            seconds: since the last frame.
            config: thresholds and times.
        """
        self.since_search += seconds
        self.since_look += seconds
        if self.memory is None:
            return
        unseen = self.pruning.unseen
        self.unlike = 0.0 if unseen == 0 and self.alike >= SAME_LOOK else self.unlike + seconds
        if unseen == 0:
            self.state = TrackState.TRACKING if self.pruning.certain else TrackState.UNCERTAIN
            self.failed_searches, self.refused = 0, ""
        elif self.state == TrackState.SEARCHING or (
            self.searchable and unseen >= config.lost_seconds + config.search_seconds
        ):
            self.state = TrackState.SEARCHING
        elif unseen >= config.lost_seconds:
            self.state = TrackState.LOST
        else:
            self.state = TrackState.UNCERTAIN

    @property
    def wanted(self) -> Wanted:
        """What a search for it goes by."""
        return Wanted(self.description, self.example)

    def searched(self, found: bool) -> None:
        """It was searched in this frame, and `sight` knows of what was found."""
        self.since_search = 0.0
        if found:
            self.failed_searches = 0
        elif not self.to_look_again:
            self.failed_searches += 1
            self.sighted, self.sightings = None, 0

    @property
    def to_look_again(self) -> bool:
        """Something was found that is taken when the next searches find it too."""
        return 0 < self.sightings < SIGHTINGS

    def follow(self, camera: npt.NDArray[np.float64]) -> None:
        """To be called for every frame: what was sighted is where the camera's motion has put it, be it searched now or later.

        Args:
            camera: `Motion.camera` since the last frame.
        """
        if self.sighted is not None:
            self.sighted = _moved(self.sighted, camera)

    def sight(self, box: Box | None) -> bool:
        """Whether what a search found is to be taken: by the first search, with a look that it is known by, or at last.

        Args:
            box: of it, as shares of the frame; None: nothing was found.
        """
        if box is not None and (self.looks or not self.failed_searches):
            return True
        same = box is not None and (self.sighted is None or _touch(self.sighted, box))
        self.sighted, self.sightings = (box, self.sightings + 1) if same else (None, 0)
        return self.sightings >= SIGHTINGS

    def to_search(self, config: TrackerConfig, seconds: float = 0.0) -> bool:
        """Whether it is to be looked for in this frame; seconds: since the last one, where `observe` does not know it yet."""
        just_lost = self.memory is not None and self.pruning.unseen < JUST_LOST_SECONDS
        interval = config.search_interval / 2 if just_lost else interval_after(self.failed_searches, config)
        interval = 0.0 if self.to_look_again else interval
        return self.searchable and self.state == TrackState.SEARCHING and self.since_search + seconds >= interval

    def to_search_by_look(self, config: TrackerConfig) -> bool:
        """Whether it is to be looked for by its look in this frame: it is out of sight, or what is taken for it is doubted."""
        if self.memory is None or not self.looks or not config.seen_score or not self.unlike:
            return False
        if self.unlike < config.search_seconds:
            return False
        just_lost = self.unlike < JUST_LOST_SECONDS
        return self.since_look >= (LOOK_INTERVAL if just_lost else max(LOOK_INTERVAL, config.search_interval))

    @property
    def shown(self) -> bool:
        """Its mask is given out: it is seen, or was a moment ago."""
        return self.state in (TrackState.TRACKING, TrackState.UNCERTAIN)

    def result(self, mask: npt.NDArray[np.bool_], config: TrackerConfig) -> TrackedObject:
        """The value that is given out. mask: bool (H, W), empty where it is not `shown`."""
        covered = self.state == TrackState.TRACKING and not mask.any()
        state = TrackState.UNCERTAIN if covered else self.state
        reason = "all of its mask is another target's" if covered else self.reason(config)
        return TrackedObject.of_mask(
            self.id, self.description, state, self.pruning.score, mask, self.pruning.keep_ratio, reason
        )

    def reason(self, config: TrackerConfig) -> str:
        """Why it is in its state, in words."""
        unseen, score = f"out of sight for {self.pruning.unseen:.1f} s", self.pruning.score
        if self.state == TrackState.TRACKING:
            return f"seen with a score of {score:.2f}"
        if self.state == TrackState.UNCERTAIN:
            doubted = f"seen, but its score of {score:.2f} is below uncertain_score, {config.uncertain_score:g}"
            return unseen if self.pruning.unseen else doubted
        if self.state == TrackState.LOST:
            after = config.lost_seconds + config.search_seconds
            by_look = ", and is searched by its look" if config.seen_score else " to search by"
            return f"{unseen}; " + (
                f"searched by its text from {after:g} s on" if self.searchable else f"it has no text{by_look}"
            )
        searches = f"{self.failed_searches} search{'' if self.failed_searches == 1 else 'es'} in vain"
        known = "not found yet" if self.memory is None else unseen
        return "; ".join(part for part in (known, searches, self.refused) if part)


def _moved(box: Box, camera: npt.NDArray[np.float64]) -> Box:
    """To where the camera's motion has put its middle; both as shares of the frame."""
    x, y, width, height = box
    middle = camera @ (x + width / 2, y + height / 2, 1.0)
    return float(middle[0]) - width / 2, float(middle[1]) - height / 2, width, height


def _touch(one: Box, other: Box) -> bool:
    """Whether boxes overlap: within a frame, a thing may move by its width."""
    apart = (
        abs(a + b / 2 - c - d / 2) - (b + d) / 2
        for a, b, c, d in zip(one[:2], one[2:], other[:2], other[2:], strict=True)
    )
    return max(apart) <= 0


@dataclass(frozen=True)
class Request:
    """What is to be tracked from the next frame on: one of box and mask.

    Attributes:
        box: pixels of that frame.
        mask: bool (H, W) of that frame.
        description: text of a mask; a box's is made automatically.
    """

    box: Box | None = None
    mask: npt.NDArray[np.bool_] | None = None
    description: str = ""


@dataclass
class TargetList:
    """All targets of one tracker, and the boxes and masks that wait for the next frame.

    A text owns the targets that it named and no others: the next text ends those that it does not name again. An example ends
    the one before. Targets of boxes and masks stay until everything ends.

    Attributes:
        limit: most targets, waiting ones included.
        targets: in the order in which they came.
        waiting: requests, oldest first.
    """

    limit: int
    targets: list[Target] = field(default_factory=list)
    waiting: list[Request] = field(default_factory=list)
    last_id: int = 0

    def copy(self) -> TargetList:
        """One that changes by itself."""
        return replace(self, targets=[target.copy() for target in self.targets], waiting=self.waiting.copy())

    def name(self, wanted: Sequence[str], new: Callable[[str], Target]) -> None:
        """Track what a text names, beside what was given; nothing at all where it names nothing.

        Args:
            wanted: clean descriptions, none twice (`descriptions.split`).
            new: makes a target of a description.

        Raises:
            InputError: too many with those that were given; nothing has changed then.
        """
        if not wanted:
            self.clear()
            return
        given = [target for target in self.targets if not target.by_text]
        if len(wanted) + len(given) + len(self.waiting) > self.limit:
            raise InputError(
                f"The text names {len(wanted)} targets, boxes and masks {len(given) + len(self.waiting)}, and max_targets is "
                f"{self.limit}. Name fewer, or end all with an empty text first."
            )
        present = {descriptions.key(target.description): target for target in self.targets if target.by_text}
        named = []
        for description in wanted:
            target = present.get(descriptions.key(description)) or new(description)
            target.description = description
            named.append(target)
        self.targets = [*given, *named]

    def show(self, target: Target) -> None:
        """Look for what an example shows, in place of what an earlier one showed; all others stay.

        Raises:
            InputError: there are too many targets.
        """
        others = [each for each in self.targets if each.example is None]
        if len(others) + len(self.waiting) >= self.limit:
            raise InputError(f"{self.limit} targets are tracked already (max_targets); end one first.")
        self.targets = [*others, target]

    def ask(self, request: Request) -> None:
        """Let a box or mask wait for the next frame.

        Raises:
            InputError: there are too many targets.
        """
        if len(self.targets) + len(self.waiting) >= self.limit:
            raise InputError(f"{self.limit} targets are tracked already (max_targets); end one first.")
        self.waiting.append(request)

    def take_waiting(self) -> list[Request]:
        """The requests, which do not wait any more."""
        waiting, self.waiting = self.waiting, []
        return waiting

    def number(self, target: Target) -> None:
        """Give a target that was found or given its id, unless it has one. Ids are used again last of all."""
        if target.id:
            return
        used = {each.id for each in self.targets}
        while True:
            self.last_id = self.last_id % MAX_ID + 1
            if self.last_id not in used:
                target.id = self.last_id
                return

    def clear(self) -> None:
        """End all, and forget what waits. Ids go on rising."""
        self.targets, self.waiting = [], []
