"""A lifecycle node that goes on answering while a transition takes its time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future


class BackgroundLifecycleNode(LifecycleNode):
    """Runs its transitions in another thread than the executor's, and answers `~/change_state` when they are done.

    rclpy runs them within the service's callback, which stops everything else for as long as models are loaded.

    Args:
        name: of the node.
        call: has a function called in the other thread, in order.
        arguments: of `rclpy.lifecycle.LifecycleNode`.
    """

    def __init__(self, name: str, call: Callable[[Callable[[], None]], None], **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self._call = call
        self._callbacks = {number: self._told(callback) for number, callback in self._callbacks.items()}
        service = self._service_change_state  # rclpy has no public name for it.
        self._answer = service.callback
        service.callback = self._on_change_state
        # A group of its own, that lets the next request in: the coroutine below is at work until its transition is done.
        service.callback_group = ReentrantCallbackGroup()
        service.callback_group.add_entity(service)

    def on_exception(self, error: Exception) -> None:
        """A transition raised this, which rclpy passes over in silence; `on_error` comes next."""

    def _told(self, callback: Callable[[LifecycleState], TransitionCallbackReturn]) -> Any:
        @wraps(callback)
        def told(state: LifecycleState) -> TransitionCallbackReturn:
            try:
                return callback(state)
            except Exception as error:
                self.on_exception(error)
                return TransitionCallbackReturn.ERROR

        return told

    def destroy_node(self) -> None:
        """Leave the graph. rclpy forgets the state machine, which would hold the node there until it is collected."""
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    async def _on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        done: Future[ChangeState.Response] = Future()
        done.add_done_callback(self._wake)

        def answer() -> None:
            try:
                self._answer(request, response)
            finally:
                done.set_result(response)

        self._call(answer)
        return await done

    def _wake(self, _: Any) -> None:
        if self.executor is not None:
            self.executor.wake()
