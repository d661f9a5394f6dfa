"""Starts the tracker on a camera's images.

ros2 launch fastsam2_ros track.launch.py image:=/camera/color/image_raw description:='red mug'
"""

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = Path(__file__).parents[1] / "config"

# Launch argument: (parameter, its type, what it is). Left empty, the value of params_file holds.
SETTINGS = {
    "description": ("description", str, "what to look for from the start, such as 'red mug'; several: separated by ;"),
    "model": ("model.name", str, "SAM 2 model: mini, tiny, small, base_plus or large"),
    "checkpoint": ("model.checkpoint", str, "path of the model's weights"),
    "device": ("model.device", str, "torch device: auto, cpu, cuda, cuda:1 ..."),
    "keep_ratio": ("pruning.keep_ratio", float, "fixed share of tokens, (0, 1]; 0: set by the motion, for every frame"),
    "image_transport": ("image_transport", str, "raw or compressed"),
}


def generate_launch_description() -> LaunchDescription:
    """Arguments, the DDS profile and the node."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("image", default_value="/camera/image_raw", description="the camera's image topic"),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node and its topics"),
            DeclareLaunchArgument(
                "params_file", default_value=str(CONFIG / "tracker.yaml"), description="YAML file with parameters"
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=f"{text} (empty: as in params_file)")
                for name, (_, _, text) in SETTINGS.items()
            ),
            *dds_profile(),
            OpaqueFunction(function=tracker),
        ]
    )


def dds_profile() -> list[SetEnvironmentVariable]:
    """Shared memory that is large enough for images, unless the user has a profile of his own."""
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    if any(os.environ.get(name) for name in names):
        return []
    # Fast DDS 2, of Humble and Jazzy, knows the second name; Fast DDS 3 the first, and complains about the second.
    name = names[os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")]
    return [SetEnvironmentVariable(name, str(CONFIG / "fastdds.xml"))]


def tracker(context: LaunchContext) -> list[Node]:
    """The node, with those parameters that were given as arguments on top of the file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in SETTINGS}
    # The type is told, or a description such as 'yes' or '7' would become a bool or a number.
    parameters = {
        parameter: float(given[name]) if kind is float else ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind, _) in SETTINGS.items()
        if given[name]
    }
    image = LaunchConfiguration("image").perform(context)
    return [
        Node(
            package="fastsam2_ros",
            executable="fastsam2_tracker",
            name="fastsam2_tracker",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), *([parameters] if parameters else [])],
            remappings=[("image", image), ("image/compressed", f"{image}/compressed")],
            output="screen",
            sigterm_timeout="30",  # seconds: on a slow CPU, the step at work takes longer than the usual 5 to end
        )
    ]
