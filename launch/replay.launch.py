"""Plays a bag beside the tracker, and ends with it. The arguments of track.launch.py are taken too.

ros2 launch fastsam2_ros replay.launch.py bag:=/data/kitchen image:=/camera/image_raw description:='red mug'
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration


def generate_launch_description() -> LaunchDescription:
    """The tracker, and `fastsam2 replay`."""
    command = Path(get_package_prefix("fastsam2_ros")) / "lib" / "fastsam2_ros" / "fastsam2"
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="path of the bag, sqlite3 or MCAP"),
            DeclareLaunchArgument("rate", default_value="1.0", description="speed, 1: as it was recorded"),
            # Longer than the command's own default: the models are loaded first.
            DeclareLaunchArgument("wait", default_value="60", description="seconds to wait for image subscribers"),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(Path(__file__).with_name("track.launch.py"))),
            ),
            ExecuteProcess(
                cmd=[
                    str(command),
                    "replay",
                    LaunchConfiguration("bag"),
                    "--rate",
                    LaunchConfiguration("rate"),
                    "--wait",
                    LaunchConfiguration("wait"),
                ],
                output="screen",
                on_exit=[Shutdown(reason="the bag is over")],
            ),
        ]
    )
