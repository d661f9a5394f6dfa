"""Starts the tracker on a camera's images.

ros2 launch fastsam2_ros track.launch.py image:=/camera/color/image_raw description:='red mug'
"""

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from fastsam2_ros.node import launching

CONFIG = Path(__file__).parents[1] / "config"


def generate_launch_description() -> LaunchDescription:
    """Arguments, the node, and RViz on request."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "image",
                default_value=launching.IMAGE,
                description="the camera's image topic; of several cameras, one topic each, separated by spaces",
            ),
            DeclareLaunchArgument(
                "depth",
                default_value="",
                description="topic of depth aligned to the images, one for each camera: for positions in 3-D",
            ),
            DeclareLaunchArgument(
                "camera_info",
                default_value="",
                description="topic of the calibration, one for each camera (empty: beside the images)",
            ),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node and its topics"),
            DeclareLaunchArgument("name", default_value=launching.NODE, description="name of the node"),
            DeclareLaunchArgument(
                "params_file", default_value=str(CONFIG / "tracker.yaml"), description="YAML file with parameters"
            ),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="time from /clock"),
            DeclareLaunchArgument("log_level", default_value="info", description="debug, info, warn, error or fatal"),
            DeclareLaunchArgument(
                "respawn", default_value="false", description="start the node again when it ends by a fault"
            ),
            DeclareLaunchArgument("rviz", default_value="false", description="show the results in RViz"),
            *(
                DeclareLaunchArgument(name, default_value="", description=f"{text} (empty: as in params_file)")
                for name, text in launching.arguments().items()
            ),
            OpaqueFunction(function=tracker),
            OpaqueFunction(function=viewer, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def tracker(context: LaunchContext) -> list[Node]:
    """The node, with those parameters that were given as arguments on top of the file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in launching.arguments()}
    chosen = launching.parameters(given)
    values = {
        # The type is told, or a description such as 'yes' or '7' would become a bool or a number.
        name: value if isinstance(value, list) else ParameterValue(value, value_type=type(value))
        for name, value in chosen.items()
    }
    values["use_sim_time"] = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    file = launching.existing("params_file", LaunchConfiguration("params_file").perform(context))
    topics = {name: LaunchConfiguration(name).perform(context) for name in ("image", "depth", "camera_info")}
    if topics["depth"] and not given["use_depth"]:
        values["use_depth"] = ParameterValue(True, value_type=bool)
    inputs = launching.remappings(cameras=chosen.get("cameras", []), **topics)
    return [
        Node(
            package="fastsam2_ros",
            executable="fastsam2_tracker",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[file, values],
            remappings=list(inputs.items()),
            # For this process alone: others keep their own memory.
            additional_env=launching.dds_profile(os.environ, CONFIG / "fastdds_node.xml"),
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            respawn=LaunchConfiguration("respawn"),
            respawn_delay=2.0,
            output="screen",
            sigterm_timeout="30",  # seconds: on a slow CPU, the step at work takes longer than the usual 5 to end
        )
    ]


def viewer(context: LaunchContext) -> list[Node]:
    """RViz, with the topics of this node."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ("image", "cameras", "name", "namespace")}
    cameras = launching.parameters({"cameras": given["cameras"]}).get("cameras", [])
    images = launching.image_topics(given["image"], cameras, given["namespace"])
    remappings = launching.viewer_remappings(images, cameras, given["name"], given["namespace"])
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(CONFIG / "rviz.rviz")],
            remappings=list(remappings.items()),
        )
    ]
