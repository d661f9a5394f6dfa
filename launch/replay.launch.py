"""Plays a bag beside the tracker, and ends with it. The arguments of track.launch.py are taken too.

ros2 launch fastsam2_ros replay.launch.py bag:=/data/kitchen image:=/camera/image_raw description:='red mug'
"""

import os
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from fastsam2_ros.node import launching

CONFIG = Path(__file__).parents[1] / "config"
ARGUMENTS = {
    "rate": ("1.0", "speed, 1: as it was recorded"),
    "start": ("0", "leave the first so many seconds out"),
    "loop": ("false", "play again and again"),
    "clock": ("false", "publish the time of recording on /clock; with use_sim_time, the tracker goes by it"),
    "topics": ("", "only these topics of the bag, separated by spaces (empty: all)"),
    "remap": ("", "new names of topics, FROM:=TO, separated by spaces"),
    "wait": ("300", "seconds to wait until the tracker takes images: models are loaded, and perhaps fetched, first"),
}


def generate_launch_description() -> LaunchDescription:
    """The tracker, and `fastsam2 replay`."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="path of the bag, sqlite3 or MCAP"),
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in ARGUMENTS.items()
            ),
            # Before the tracker is started: wrong arguments are told at once.
            OpaqueFunction(function=replay),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(Path(__file__).with_name("track.launch.py"))),
            ),
            RegisterEventHandler(OnProcessExit(on_exit=ended)),
        ]
    )


def replay(context: LaunchContext) -> list[ExecuteProcess]:
    """The process that plays the bag."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ("bag", *ARGUMENTS)}
    transport = LaunchConfiguration("image_transport", default="").perform(context)
    images = launching.image_topics(
        LaunchConfiguration("image", default=launching.IMAGE).perform(context),
        launching.parameters({"cameras": LaunchConfiguration("cameras", default="").perform(context)}).get(
            "cameras", []
        ),
        LaunchConfiguration("namespace", default="").perform(context),
    )
    executable = Path(get_package_prefix("fastsam2_ros")) / "lib" / "fastsam2_ros" / "fastsam2"
    return [
        ExecuteProcess(
            cmd=launching.replay_command(
                executable,
                given,
                [f"{topic}/compressed" if transport == "compressed" else topic for topic in images],
            ),
            additional_env=launching.dds_profile(os.environ, CONFIG / "fastdds.xml"),
            output="screen",
        )
    ]


def ended(event: ProcessExited, context: LaunchContext) -> list[Shutdown]:
    """The bag's end is the launch's; and so is a tracker that fails, which the launch's exit code tells."""
    if context.is_shutdown:
        return []
    if event.returncode:
        raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}")
    return [Shutdown(reason=f"{event.process_name} has ended")]
