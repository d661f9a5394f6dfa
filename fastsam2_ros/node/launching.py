"""What the launch files decide, without launch itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
NODE = "fastsam2_tracker"
"""Name of the node, unless another is given."""
IMAGE = "/camera/image_raw"
"""The image topic of the only camera, unless another is given."""
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


def _typed(argument: str, text: str, kind: type) -> Any:
    """A launch argument's text as bool, int, float, str or list of str."""
    if kind is str:
        if len(text) > _LONGEST or "\n" in text:
            raise InputError(
                f"The launch argument {argument} is {printable(text, 40)}. If it is one of a launch file that includes "
                "this one, include this one in a group that forwards nothing (docs/commanding.md, Launch)."
            )
        return text
    if kind is tuple:
        return text.strip(" []").replace(",", " ").split()
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


def image_remappings(image: str, cameras: Sequence[str]) -> dict[str, str]:
    """The topics that images come on, by the names that the node has for them.

    Args:
        image: the launch argument: one topic, or one for each camera, separated by spaces.
        cameras: names, where there are several; with `IMAGE`, nothing is remapped.

    Raises:
        InputError: another number of topics than of cameras.
    """
    if cameras and image == IMAGE:
        return {}
    return _by_name("image", image, cameras)


def remappings(image: str, cameras: Sequence[str], depth: str, camera_info: str) -> dict[str, str]:
    """New names of the tracker's inputs, by the names that the node has for them.

    Args:
        image, cameras: as for `image_remappings`.
        depth: topics of depth that is aligned to the images, one for each camera; empty: not remapped.
        camera_info: topics likewise; empty: beside the images, where image_transport looks for it.

    Raises:
        InputError: another number of topics than of cameras.
    """
    images = image_remappings(image, cameras)
    rules = images | {f"{name}/compressed": f"{topic}/compressed" for name, topic in images.items()}
    if camera_info:
        rules |= _by_name("camera_info", camera_info, cameras)
    else:
        rules |= {_beside(name, "camera_info"): _beside(topic, "camera_info") for name, topic in images.items()}
    return rules | (_by_name("depth", depth, cameras) if depth else {})


def _by_name(argument: str, text: str, cameras: Sequence[str]) -> dict[str, str]:
    names, topics = [f"{camera}/{argument}" for camera in cameras] or [argument], text.split()
    if len(topics) != len(names):
        raise InputError(
            f"The launch argument {argument} is {printable(text)}, but the cameras are {', '.join(cameras) or 'just one'}: "
            f"give {len(names)} topic(s), separated by spaces, in the same order."
        )
    return dict(zip(names, topics, strict=True))


def _beside(topic: str, name: str) -> str:
    folder, slash, _ = topic.rpartition("/")
    return f"{folder}{slash}{name}"


def image_topics(image: str, cameras: Sequence[str], namespace: str) -> list[str]:
    """The topics that the node will subscribe to. Arguments as for `image_remappings`, and the node's namespace."""
    prefix = f"/{namespace.strip('/')}/" if namespace.strip("/") else "/"
    return [*image_remappings(image, cameras).values()] or [f"{prefix}{camera}/image" for camera in cameras]


def viewer_remappings(images: Sequence[str], cameras: Sequence[str], name: str, namespace: str) -> dict[str, str]:
    """From the topics in config/rviz.rviz to those of this node, of the first of several cameras.

    Args:
        images: topics that the node subscribes to (`image_topics`).
        cameras, name, namespace: of the node.
    """
    prefix = "/".join(["", *(part for part in (namespace.strip("/"), name, *cameras[:1]) if part)])
    outputs = {f"/{NODE}/{topic}": f"{prefix}/{topic}" for topic in ("overlay", "tokens")}
    return {IMAGE: images[0], **outputs}


def existing(argument: str, path: str) -> str:
    """The path.

    Raises:
        InputError: there is nothing there; names the argument.
    """
    if not Path(path).expanduser().exists():
        raise InputError(f"The launch argument {argument} is {printable(path)}, and there is no such file.")
    return str(Path(path).expanduser())


def replay_command(executable: Path, given: Mapping[str, str], images: Sequence[str]) -> list[str]:
    """The words that play the bag.

    Args:
        executable: `fastsam2`.
        given: launch arguments: bag, topics, remap, rate, loop, start, clock, wait.
        images: topics that the tracker subscribes to. Where the bag's topics are not chosen, all are played, and only
            these are waited for.

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
    words += ["--wait-for", *images]
    if given["topics"].split():
        words += ["--topics", *given["topics"].split()]
    return words
