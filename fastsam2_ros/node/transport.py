"""Topics and types of images as image_transport has them: raw, compressed, compressedDepth."""

from __future__ import annotations

from typing import TypeAlias

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

ImageMessage: TypeAlias = Image | CompressedImage


def topic(node: Node, name: str, transport: str) -> str:
    """The resolved name of the topic that carries the images of `name`."""
    base = node.resolve_topic_name(name)
    if transport == "raw":
        return base
    # After the remapped topic, unless it is remapped itself.
    expanded = node.resolve_topic_name(f"{name}/{transport}", only_expand=True)
    remapped = node.resolve_topic_name(f"{name}/{transport}")
    return f"{base}/{transport}" if remapped == expanded else remapped


def message_type(transport: str) -> type[ImageMessage]:
    """Of the images."""
    return Image if transport == "raw" else CompressedImage


def type_name(transport: str) -> str:
    """Of the images, as the graph has it."""
    return f"sensor_msgs/msg/{message_type(transport).__name__}"
