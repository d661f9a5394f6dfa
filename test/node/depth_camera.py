"""A depth camera in the peer of a graph."""

from __future__ import annotations

import array

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from .graph import ALL, header

SIZE = (48, 64)
K = (64.0, 0, 31.5, 0, 64.0, 23.5, 0, 0, 1)


class DepthCamera:
    """Depth and camera_info of one camera in the peer of a graph, and what comes of them."""

    def __init__(self, graph, reliability=ReliabilityPolicy.RELIABLE, name="", *, compressed=False):
        self.graph = graph
        self.name = name
        self.compressed = compressed
        self.prefix = f"{name}/" if name else ""
        self.depth = self.depth_publisher(reliability)
        self.info = graph.peer.create_publisher(
            CameraInfo, f"{self.prefix}camera_info", 10, event_callbacks=self.matched()
        )
        topics = {f"{self.prefix}target_pose": PoseStamped, f"{self.prefix}points": PointCloud2}
        # What it says itself is heard too, so that it is known when it has come.
        said = {f"/{self.prefix}{self.depth_topic[0]}": self.depth_topic[1], f"/{self.prefix}camera_info": CameraInfo}
        for each, type_ in {**topics, **said}.items():
            topic = each if each[0] == "/" else f"fastsam2_tracker/{each}"
            heard = SubscriptionEventCallbacks(matched=graph.notify)
            subscription = graph.peer.create_subscription(type_, topic, graph.keep(each), ALL, event_callbacks=heard)
            if each in topics:
                self.graph.wait_for(subscription.get_publisher_count)
        self.graph.wait_for(lambda: self.info.get_subscription_count() == 2)
        if reliability == ReliabilityPolicy.RELIABLE:
            self.graph.wait_for(lambda: self.depth.get_subscription_count() == 2)

    def matched(self):
        return PublisherEventCallbacks(matched=self.graph.notify)

    @property
    def depth_topic(self):
        """Its name without the camera's, and its type."""
        return ("depth/compressedDepth", CompressedImage) if self.compressed else ("depth", Image)

    def depth_publisher(self, reliability=ReliabilityPolicy.RELIABLE):
        qos = QoSProfile(depth=10, reliability=reliability)
        topic, type_ = self.depth_topic
        return self.graph.peer.create_publisher(type_, self.prefix + topic, qos, event_callbacks=self.matched())

    def calibrate(self, **fields):
        self.info.publish(CameraInfo(**{"width": SIZE[1], "height": SIZE[0], "k": K, **fields}))
        self.graph.wait_for(lambda: self.graph.taken[f"/{self.prefix}camera_info"])

    def measure(self, stamp, metres=2.0, size=SIZE, frame_id="camera", **fields):
        self.publish_depth(stamp, depth_image(stamp, metres, size, frame_id, **fields))

    def publish_depth(self, stamp, message):
        """Of this stamp, which the message has; wait until the node has it."""
        self.depth.publish(message)
        taken = self.graph.taken[f"/{self.prefix}{self.depth_topic[0]}"]
        self.graph.wait_for(lambda: any(each.header.stamp == header(stamp).stamp for each in taken))

    def tracks(self, stamp):
        """The tracks of an image of this stamp, which is sent."""
        self.graph.send_good(stamp, camera=self.name)
        heard = self.graph.heard[f"{self.prefix}tracks"]
        self.graph.wait_for(lambda: any(message.header == header(stamp) for message in heard))
        return next(message for message in heard if message.header == header(stamp)).objects

    def status(self):
        return self.graph.heard[f"{self.prefix}status"][-1]


def depth_image(stamp, metres, size, frame_id, **fields):
    height, width = size
    values = np.full(size, metres, "<f4")
    data = array.array("B", values.tobytes())
    good = {"height": height, "width": width, "encoding": "32FC1", "step": width * 4, "data": data}
    message = Image(header=header(stamp), **{**good, **fields})
    message.header.frame_id = frame_id
    return message
