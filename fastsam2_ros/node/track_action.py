"""The action Track: what planners call, around the same commands that topics give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from geometry_msgs.msg import Pose, PoseStamped
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.qos import qos_profile_parameters
from rclpy.task import Future
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from fastsam2_ros.action import Track
from fastsam2_ros.errors import InputError
from fastsam2_ros.message_fields import region_of_interest
from fastsam2_ros.node.commands import Commands
from fastsam2_ros.node.messages import point
from fastsam2_ros.node.track_goal import GIVEN_UP, TrackGoal, checked_patience
from fastsam2_ros.positions import Position
from fastsam2_ros.printable import printable
from fastsam2_ros.results import TrackedObject, TrackResult


class TrackAction:
    """Serves the action for one camera, one goal at a time: a newer one replaces it, and so does another text.

    Args:
        node: whose action it is.
        name: of the action, such as `~/track` or `~/front/track`.
        commands: of the camera.
        text_of: a goal's description as the camera is to look for it; raises `InputError` where it is not for the camera.
    """

    def __init__(self, node: Node, name: str, commands: Commands, text_of: Callable[[str], str]) -> None:
        self._node = node
        self._commands = commands
        self._text_of = text_of
        self._current: tuple[TrackGoal, Any] | None = None
        # As many calls may wait as of the parameters' services: ROS's usual ten are lost in a burst, and never answered.
        self._server = ActionServer(
            node,
            Track,
            name,
            self._execute,
            cancel_callback=self._on_cancel,
            goal_service_qos_profile=qos_profile_parameters,
            result_service_qos_profile=qos_profile_parameters,
            cancel_service_qos_profile=qos_profile_parameters,
        )

    def close(self) -> None:
        """Take the action back; before the node is destroyed."""
        self._server.destroy()

    @property
    def goal(self) -> TrackGoal | None:
        """The one at work."""
        current = self._current  # Another thread may end it meanwhile.
        return None if current is None else current[0]

    def end(self, reason: int, message: str) -> None:
        """End the goal at work; reason: a constant of Track's result."""
        goal = self.goal
        if goal is not None:
            goal.end(reason, message)

    def check(self) -> None:
        """Time goes by."""
        goal = self.goal
        if goal is not None:
            goal.wait(self._now())

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
        if handle.is_cancel_requested:
            handle.canceled()
            return Track.Result(reason=Track.Result.CANCELLED, message="It was cancelled before it began.")
        try:
            description, patience = self._text_of(handle.request.description), checked_patience(handle.request.patience)
        except InputError as error:
            handle.abort()
            return Track.Result(reason=Track.Result.REFUSED, message=printable(str(error)))
        self.end(Track.Result.REPLACED, "A newer goal came.")
        ended: Future[Track.Result] = Future()
        ended.add_done_callback(self._wake)

        def on_end(result: Track.Result) -> None:
            if result.reason in GIVEN_UP:
                self._commands.give_up()  # At once: a text that comes from now on counts.
            ended.set_result(result)

        request = Track.Goal(description=description, until_tracking=handle.request.until_tracking, patience=patience)
        goal = TrackGoal(request, self._now(), on_end)
        self._current = (goal, handle)
        self._commands.begin(goal)
        result = await ended
        assert result is not None
        if self.goal is goal:
            self._current = None
        if result.reason == Track.Result.FOUND:
            handle.succeed()
        elif result.reason == Track.Result.CANCELLED:
            handle.canceled()
        else:
            handle.abort()
        return result

    def _on_cancel(self, handle: Any) -> CancelResponse:
        # The handle is told of it before the coroutine above begins or goes on: that is another task of this thread.
        if self._current is not None and self._current[1] is handle:
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
