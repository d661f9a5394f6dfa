"""What the launch files decide, without launch itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastsam2_ros.config import flat_options
from fastsam2_ros.errors import InputError
from fastsam2_ros.node.parameters import OWN, describe
from fastsam2_ros.printable import printable

SHORT = {
    "model": "model.name",
    "checkpoint": "model.checkpoint",
    "device": "model.device",
    "keep_ratio": "pruning.keep_ratio",
}
"""Launch arguments that are shorter than the names of their parameters."""
_LONGEST = 4096
_PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_WORDS = {"true": True, "false": False}


def arguments() -> dict[str, str]:
    """Launch arguments that set a parameter, each with its description: the short ones, then every parameter by its name."""
    options = {**OWN, **flat_options()}
    names = {**SHORT, **{name: name for name in options}}
    return {
        argument: describe(parameter, options[parameter].default, options[parameter].metadata).description
        for argument, parameter in names.items()
    }


def parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters in the types that they have.

    Args:
        given: launch arguments by name; empty: not given.

    Raises:
        InputError: a value of the wrong kind; names the argument.
    """
    options = {**OWN, **flat_options()}
    values: dict[str, Any] = {}
    # The short ones come last: who gives both means the short one.
    for argument in sorted(given, key=lambda name: name in SHORT):
        if given[argument] != "":
            parameter = SHORT.get(argument, argument)
            values[parameter] = _typed(argument, given[argument], type(options[parameter].default))
    return values


def remappings(image: str, depth: str, camera_info: str) -> list[tuple[str, str]]:
    """New names of the tracker's inputs.

    Args:
        image: topic of the camera's images.
        depth: topic of depth that is aligned to them; empty: none.
        camera_info: topic; empty: beside the images, where image_transport looks for it.
    """
    folder, slash, _ = image.rpartition("/")
    beside = f"{folder}{slash}camera_info"
    rules = [("image", image), ("image/compressed", f"{image}/compressed"), ("camera_info", camera_info or beside)]
    return [*rules, ("depth", depth)] if depth else rules


def _typed(argument: str, text: str, kind: type) -> Any:
    """A launch argument's text as bool, int, float or str."""
    if kind is str:
        if len(text) > _LONGEST or "\n" in text:
            raise InputError(
                f"The launch argument {argument} is {printable(text, 40)}. If it is one of a launch file that includes "
                "this one, include this one in a group that forwards nothing (docs/commanding.md, Launch)."
            )
        return text
    try:
        if kind is bool:
            return _WORDS[text.strip().lower()]
        value = kind(text)
    except (ValueError, KeyError):
        names = {bool: "true or false", int: "a whole number", float: "a number"}
        raise InputError(f"The launch argument {argument} is '{printable(text, 40)}'; it is {names[kind]}.") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"The launch argument {argument} is {value}; it is a finite number.")
    return value


def dds_profile(environment: Mapping[str, str], profile: Path) -> dict[str, str]:
    """Variables that give one process a DDS profile; none where the user has a profile already.

    Args:
        environment: of the launch.
        profile: XML file.
    """
    if any(environment.get(name) for name in _PROFILES):
        return {}
    # Fast DDS 2, of Humble and Jazzy, knows the second name; Fast DDS 3 the first, and complains about the second.
    return {_PROFILES[environment.get("ROS_DISTRO") in ("humble", "iron", "jazzy")]: str(profile)}


def existing(argument: str, path: str) -> str:
    """The path.

    Raises:
        InputError: there is nothing there; names the argument.
    """
    if not Path(path).expanduser().exists():
        raise InputError(f"The launch argument {argument} is {printable(path)}, and there is no such file.")
    return str(Path(path).expanduser())


def replay_command(executable: Path, given: Mapping[str, str], image: str) -> list[str]:
    """The words that play the bag.

    Args:
        executable: `fastsam2`.
        given: launch arguments: bag, topics, remap, rate, loop, start, clock, wait.
        image: topic that the tracker subscribes to. Where the bag's topics are not chosen, all are played, and only this
            one is waited for.

    Raises:
        InputError: an argument of the wrong kind, or no such bag.
    """
    words = [str(executable), "replay", existing("bag", given["bag"])]
    for name, kind in (("rate", float), ("start", float), ("wait", float)):
        words += [f"--{name}", str(_typed(name, given[name], kind))]
    for name in ("loop", "clock"):
        if _typed(name, given[name], bool):
            words.append(f"--{name}")
    for rule in given["remap"].split():
        words += ["--remap", rule]
    words += ["--wait-for", image]
    if given["topics"].split():
        words += ["--topics", *given["topics"].split()]
    return words
