"""A lifecycle manager in the peer of a graph."""

from __future__ import annotations

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_parameters
from std_srvs.srv import Trigger

NAMES = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}
SHUTDOWN = {
    "unconfigured": Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    "inactive": Transition.TRANSITION_INACTIVE_SHUTDOWN,
    "active": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


class Manager:
    """Calls the node's services, as a lifecycle manager does."""

    def __init__(self, graph):
        self._graph = graph
        self._clients = {
            name: graph.peer.create_client(kind, f"fastsam2_tracker/{name}", qos_profile=qos_profile_parameters)
            for name, kind in {
                "change_state": ChangeState,
                "get_state": GetState,
                "set_parameters_atomically": SetParametersAtomically,
                "reset": Trigger,
            }.items()
        }
        for client in self._clients.values():
            assert client.wait_for_service(timeout_sec=10)

    def ask(self, name, request):
        """The answer as a future."""
        answered = self._clients[name].call_async(request)
        answered.add_done_callback(self._graph.notify)
        return answered

    def call(self, name, request):
        answer = self.ask(name, request)
        self._graph.wait_for(answer.done)
        return answer.result()

    def change(self, name):
        number = NAMES.get(name) or SHUTDOWN[self.state()]
        return self.call("change_state", ChangeState.Request(transition=Transition(id=number))).success

    def state(self):
        return self.call("get_state", GetState.Request()).current_state.label

    def set(self, **values):
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.call("set_parameters_atomically", SetParametersAtomically.Request(parameters=parameters)).result


def up(manager):
    assert manager.change("configure")
    assert manager.change("activate")
