"""A recording of what the tracker publishes, and a way to have an example listen to it."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from node.depth_camera import DepthCamera
from node.fakes import CentreTracker
from node.graph import Graph, header
from rclpy.serialization import serialize_message
from ros_domain import own_domain
from rosbags.interfaces import QosDurability

from fastsam2_ros.bags.write import BagWriter, reliable_qos
from fastsam2_ros.lab.synthetic.depth import camera_of
from fastsam2_ros.lab.synthetic.world import generate
from fastsam2_ros.message_fields import stamp_to_ns
from fastsam2_ros.results import TrackedObject, TrackResult, TrackState

from .listening import ROOT, Listener

SIZE, FRAMES, GONE = (96, 128), 20, 3
"""Of the clip, and so many frames after it in which the target is not seen."""
TOPICS = {
    "tracks": "fastsam2_ros/msg/TrackedObjectArray",
    "status": "fastsam2_ros/msg/TrackerStatus",
    "target_pose": "geometry_msgs/msg/PoseStamped",
    "/camera_info": "sensor_msgs/msg/CameraInfo",
}


class TruthTracker(CentreTracker):
    """Gives a clip's true masks, in order; then the target is lost."""

    def __init__(self, clip):
        super().__init__()
        self._clip = clip

    def step(self, frame, stamp_ns, *, features=None, view_tokens=False):
        index = len(self.steps)
        self.steps.append((frame.shape, stamp_ns))
        seen = index < FRAMES
        mask = self._clip.ids[index] == self._clip.target if seen else np.zeros(SIZE, bool)
        state = TrackState.TRACKING if seen else TrackState.LOST
        targets = [TrackedObject.of_mask(1, each, state, 0.75, mask) for each in self.descriptions]
        return TrackResult(stamp_ns, SIZE, index, tuple(targets), 0.1, 0.5, 128, 256)


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """The clip, a bag of what the node published of it, and the messages by topic."""
    clip = generate(1_000_003, 1, FRAMES, SIZE, with_depth=True)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=own_domain())
    graph = Graph(
        context, TruthTracker(clip), subscribe=("tracks", "status"), description=clip.description, use_depth=True
    )
    camera, lens = DepthCamera(graph), camera_of(SIZE)
    camera.calibrate(
        header=header(1000),
        width=lens.width,
        height=lens.height,
        k=(lens.fx, 0, lens.cx, 0, lens.fy, lens.cy, 0, 0, 1),
    )
    for index in range(FRAMES + GONE):
        stamp = 1000 + 33 * index
        camera.measure(stamp, clip.depth[min(index, FRAMES - 1)], SIZE)
        graph.send_good(stamp, SIZE)
    graph.wait_for(lambda: len(graph.heard["tracks"]) == FRAMES + GONE and len(graph.heard["target_pose"]) == FRAMES)
    graph.close()
    rclpy.try_shutdown(context=context)
    path = tmp_path_factory.mktemp("recording") / "bag"
    messages = sorted(
        ((stamp_to_ns(message.header.stamp), name, message) for name in TOPICS for message in graph.heard[name]),
        key=lambda each: (each[0], list(TOPICS).index(each[1]) if each[1][0] != "/" else -1),
    )
    with BagWriter(path) as bag:
        names = {name: name if name[0] == "/" else f"/fastsam2_tracker/{name}" for name in TOPICS}
        for name, kind in TOPICS.items():
            kept = QosDurability.TRANSIENT_LOCAL if name == "status" else QosDurability.VOLATILE
            bag.add_topic(names[name], kind, [reliable_qos(durability=kept)])
        for stamp, name, message in messages:
            bag.write_bytes(names[name], max(stamp, 1_000_000_000), serialize_message(message))
    return SimpleNamespace(clip=clip, bag=path, heard=graph.heard)


@pytest.fixture
def example(recording):
    """Runs an example beside the replayed recording; what it publishes is heard."""
    domain = own_domain()
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)

    @contextmanager
    def run(name, listens_to, *parameters, **outputs):
        """outputs: message types by topic. Replays once the example listens to its topic."""
        listener = Listener(context, outputs)
        words = [word for parameter in parameters for word in ("-p", parameter)]
        command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), "--ros-args", *words]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        )
        try:
            listener.wait_for_publishers()
            wait = ["--wait", "60", "--wait-for", listens_to]
            replay = [sys.executable, "-m", "fastsam2_ros.cli", "replay", str(recording.bag), *wait]
            subprocess.run(replay, env=environment, check=True, timeout=120, cwd=ROOT, capture_output=True)
            listener.process = process
            yield listener
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            log, _ = process.communicate(timeout=30)
            assert "Traceback" not in log, log
        finally:
            process.kill()
            process.communicate()
            listener.close()

    yield run
    rclpy.try_shutdown(context=context)
