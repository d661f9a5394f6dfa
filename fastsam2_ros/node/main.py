"""The node's process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, NoReturn

import cv2
import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import FastSam2Error
from fastsam2_ros.node.tracker_node import TrackerNode
from fastsam2_ros.openmp import wait_passively
from fastsam2_ros.printable import printable

if TYPE_CHECKING:
    from fastsam2_ros.tracker import TextTracker


def load_tracker(config: TrackerConfig) -> TextTracker:
    """The real tracker. torch is only imported here, so that wrong parameters are told at once.

    From here on, OpenCV computes in one thread in this process.
    """
    wait_passively()
    from fastsam2_ros.tracker import TextTracker

    # Its steps are of a tenth of a millisecond, right after the model's: with the cores still busy with that, or with other
    # nodes, waiting for a second thread takes longer than the step itself.
    cv2.setNumThreads(1)
    return TextTracker.from_config(config)


def main(args: list[str] | None = None, make_tracker: Callable[[TrackerConfig], TextTracker] = load_tracker) -> int:
    """Run the node until SIGINT or SIGTERM.

    Args:
        args: command line, ROS arguments included; None: that of the process.
        make_tracker: makes the tracker from the parameters.

    Returns:
        exit code: 0 after a clean stop; 1 where arguments, parameters or models are wrong, 2 where the GPU has failed for
        good, each after a line in the log.
    """
    try:
        rclpy.init(args=args)
    except RuntimeError as error:  # rcl's errors: a file or an argument that it cannot parse
        get_logger("fastsam2_tracker").fatal(f"The ROS arguments cannot be used: {' '.join(str(error).split())}")
        return 1
    try:
        # Before the node, since no executor can be made once a signal has come; and a signal may come at any time.
        executor = SingleThreadedExecutor()
        with closing(TrackerNode(make_tracker)) as node:
            node.start()
            executor.add_node(node)
            executor.spin_until_future_complete(node.ended)
            return node.ended.result() or 0
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (FastSam2Error, ParameterException) as error:
        get_logger("fastsam2_tracker").fatal(printable(str(error), 600))
        return 1
    except Exception:
        if rclpy.ok():
            raise
        return 0  # Stopped while the node was being made: what was to follow found no graph.
    finally:
        rclpy.try_shutdown()


def leave(code: int) -> NoReturn:
    """End the process at once: models that are being loaded in another thread are not waited for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
