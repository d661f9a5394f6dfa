"""The action Track: what planners call, around the same commands that topics give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geometry_msgs.msg import Pose, PoseStamped
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from fastsam2_ros.action import Track
from fastsam2_ros.message_fields import region_of_interest
from fastsam2_ros.node.commands import Commands
from fastsam2_ros.node.messages import point
from fastsam2_ros.node.track_goal import TrackGoal
from fastsam2_ros.positions import Position
from fastsam2_ros.results import TrackedObject, TrackResult

_GIVEN_UP = (Track.Result.CANCELLED, Track.Result.NOT_FOUND, Track.Result.LOST)
"""Reasons after which its target is looked for no more."""


class TrackAction:
    """Serves the action for one camera, one goal at a time: a newer one replaces it, and so does another text.

    Args:
        node: whose action it is.
        name: of the action, such as `~/track` or `~/front/track`.
        commands: of the camera.
    """

    def __init__(self, node: Node, name: str, commands: Commands) -> None:
        self._node = node
        self._commands = commands
        self._current: tuple[TrackGoal, Any] | None = None
        self._server = ActionServer(node, Track, name, self._execute, cancel_callback=self._on_cancel)

    def close(self) -> None:
        """Take the action back; before the node is destroyed."""
        self._server.destroy()

    def other_text(self, text: str) -> None:
        """A text came for the camera that is not of a goal."""
        current = self._current  # Another thread may end it meanwhile.
        if current is not None and text.strip() != current[0].description.strip():
            current[0].end(Track.Result.REPLACED, "Another text came, on target_description or with the configuration.")

    def end(self, reason: int, message: str) -> None:
        """End the goal at work; reason: a constant of Track's result."""
        current = self._current
        if current is not None:
            current[0].end(reason, message)

    def check(self) -> None:
        """Time goes by."""
        if self._current is not None:
            self._current[0].wait(self._now())

    def publish(self, header: Header, result: TrackResult, positions: Mapping[int, Position]) -> None:
        """Tell the client of a frame; positions by id. From the worker's thread."""
        current = self._current
        if current is None:
            return
        goal, handle = current
        target = goal.see(result.objects, self._now())
        if target is not None:
            handle.publish_feedback(_feedback(header, target, positions.get(target.id)))
        goal.wait(self._now())

    # In the executor's thread, which is a single one.

    async def _execute(self, handle: ServerGoalHandle[Any, Any, Any]) -> Track.Result:
        self.end(Track.Result.REPLACED, "A newer goal came.")
        ended: Future[Track.Result] = Future()
        ended.add_done_callback(self._wake)
        goal = TrackGoal(handle.request, self._now(), ended.set_result)
        self._current = (goal, handle)
        if handle.is_cancel_requested:
            goal.end(Track.Result.CANCELLED, "It was cancelled before it began.")
        else:
            self._commands.look_for(goal.description, goal)
        result = await ended
        assert result is not None
        if self._current is not None and self._current[0] is goal:
            self._current = None
            if result.reason in _GIVEN_UP:
                self._commands.look_for("")
        if result.reason == Track.Result.FOUND:
            handle.succeed()
        elif result.reason == Track.Result.CANCELLED:
            handle.canceled()
        else:
            handle.abort()
        return result

    def _on_cancel(self, handle: Any) -> CancelResponse:
        if self._current is None or self._current[1] is not handle:
            return CancelResponse.REJECT
        # The handle is told of it before the coroutine above goes on: that is another task of this thread.
        self.end(Track.Result.CANCELLED, "The client has cancelled it.")
        return CancelResponse.ACCEPT

    def _wake(self, _: Any) -> None:
        if self._node.executor is not None:
            self._node.executor.wake()

    def _now(self) -> float:
        return float(self._node.get_clock().now().nanoseconds) * 1e-9


def _feedback(header: Header, target: TrackedObject, position: Position | None) -> Track.Feedback:
    place = Pose() if position is None else Pose(position=point(position))
    return Track.Feedback(
        state=int(target.state),
        id=target.id,
        score=float(target.score),
        has_box=target.box is not None,
        box=RegionOfInterest(**region_of_interest(target.box)),
        has_position=position is not None,
        pose=PoseStamped(header=header, pose=place),
    )
