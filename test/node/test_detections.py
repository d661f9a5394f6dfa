"""What is read of a detector's messages; vision_msgs itself is not needed for that."""

from types import SimpleNamespace as Message

import pytest

from fastsam2_ros.errors import InputError
from fastsam2_ros.language.detections import Detection
from fastsam2_ros.node import detections, messages


def box(x, y, width, height, *hypotheses):
    return Message(
        bbox=Message(center=Message(position=Message(x=x, y=y)), size_x=width, size_y=height),
        results=[Message(hypothesis=Message(class_id=name, score=score)) for name, score in hypotheses],
    )


def read(*boxes):
    return detections.detections(Message(detections=list(boxes)))


def test_a_box_is_told_by_its_corner_and_its_best_class():
    assert read(box(50.0, 40.0, 20.0, 10.0, ("cup", 0.2), ("mug", 0.7))) == [
        Detection("mug", (40.0, 35.0, 20.0, 10.0), 0.7)
    ]


def test_a_box_without_a_class_is_left_out():
    assert read(box(50.0, 40.0, 20.0, 10.0)) == []


def test_without_vision_msgs_the_way_out_is_told(monkeypatch):
    monkeypatch.setattr(messages, "vision_msgs", lambda: None)
    with pytest.raises(InputError, match=r"vision_msgs.*is not installed"):
        detections.subscribe(object(), detections.TOPIC)


def test_the_real_message_is_read():
    vision = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    hypothesis = vision.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = "mug", 0.5
    message = vision.Detection2DArray(detections=[vision.Detection2D(results=[hypothesis])])
    assert detections.detections(message) == [Detection("mug", (0.0, 0.0, 0.0, 0.0), 0.5)]
