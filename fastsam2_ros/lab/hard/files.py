"""Recordings, videos, configurations and parameters that are odd, damaged or hostile."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from fastsam2_ros.bags.frames import open_frames
from fastsam2_ros.lab.hard.case import Case, Group, SkippedError, expect
from fastsam2_ros.lab.hard.case_files import case_files
from fastsam2_ros.lab.hard.compressed import png_bomb
from fastsam2_ros.lab.hard.workplace import Outcome, Workplace

_QUICK = ("--set", "language.name=none", "--checkpoint", "untrained")
_BASE = "sam2.modeling.sam2_base.SAM2Base"


def _case(place: Workplace, name: str) -> Path:
    """One of the files; `SkippedError` where it is not here."""
    path = case_files(place.new("cases")) / name
    if not path.exists():
        raise SkippedError(f"{path} is not here")
    return path


def _track(place: Workplace, source: Path, box: str) -> tuple[Outcome, Path]:
    out = place.new("track")
    return place.run("track", source, "--box", box, *_QUICK, "--out", out), out


def _wide(place: Workplace) -> str:
    outcome, out = _track(place, _case(place, "wide1024x128"), "300,30,120,70")
    outcome.expect(0, "3 frames")
    sizes = {frame.rgb.shape[:2] for frame in open_frames(out / "masks")}
    expect(sizes == {(128, 1024)}, f"masks of {sizes}")
    return "3 masks of 1024 x 128"


def _odd_stamps(place: Workplace, name: str) -> str:
    source = _case(place, name)
    wanted = [frame.stamp_ns for frame in open_frames(source)]
    times = [frame.time_ns for frame in open_frames(source)]
    span = (times[-1] - times[0]) / 1e9
    copy = place.new("copy")
    place.run("bag", source, copy).expect(0, "6 frames")
    expect([frame.stamp_ns for frame in open_frames(copy)] == wanted, "headers changed")
    outcome, out = _track(place, source, "2,2,20,20")
    outcome.expect(0, "6 frames")
    warned = outcome.text.count("does not rise") + outcome.text.count("do not rise")
    expect(warned <= 1, f"{warned} warnings")
    video = [frame.time_ns for frame in open_frames(out / "overlay.mp4")]
    lasts = (video[-1] - video[0]) / 1e9
    expect(len(video) == 6 and abs(lasts - span) < 0.5, f"a video of {lasts:.1f} s, recorded in {span:.1f} s")
    report = place.run("replay", out / "bag", "--wait", "0").expect(0).text
    seconds = float(re.search(r"in ([\d.]+) s", report)[1])  # type: ignore[index]
    expect(seconds < span + 5, f"the replay took {seconds:.1f} s")
    return f"6 of 6, headers unchanged, video {lasts:.1f} s, replay {seconds:.1f} s"


def _yuyv(place: Workplace) -> str:
    outcome, out = _track(place, _case(place, "yuyv"), "2,2,20,20")
    outcome.expect(0, "6 frames")
    warned = [line for line in outcome.text.splitlines() if "WARNING" in line and "random weights" not in line]
    expect(not warned, f"a warning: {warned}")
    return f"{sum(1 for _ in (out / 'masks').iterdir())} masks"


def _rotated(place: Workplace) -> str:
    shapes = {frame.rgb.shape for frame in open_frames(_case(place, "rot90.mp4"))}
    expect(shapes == {(320, 240, 3)}, f"frames of {shapes}")
    return "240 x 320"


def _order(place: Workplace) -> str:
    folder = _case(place, "nopad")
    wanted = [np.asarray(Image.open(folder / f"frame{number}.jpg")).mean() for number in range(12)]
    copy = place.new("nopad")
    place.run("bag", folder, copy).expect(0, "12 frames")
    found = [frame.rgb.mean() for frame in open_frames(copy)]
    expect(np.allclose(found, wanted, atol=2), "the order is another")
    return "0, 1, 2 ... 11"


def _damaged(place: Workplace, name: str, had: str) -> str:
    place.run("bag", _case(place, name), place.new("damaged")).expect(2, f"{had} frames")
    return had


def _protobuf(place: Workplace) -> str:
    outcome = place.run("bag", _case(place, "foxglove_protobuf.mcap"), place.new("protobuf"))
    outcome.expect(2, "is not a ROS 2 bag", "protobuf")
    expect("damaged" not in outcome.text, "it is called damaged")
    return "told"


def _bomb(place: Workplace) -> str:
    folder = place.new("bomb")
    folder.mkdir()
    (folder / "0.png").write_bytes(png_bomb())
    outcome, _ = _track(place, folder, "2,2,20,20")
    outcome.expect(2, "megapixels")
    return "told"


def _hostile_configurations(place: Workplace) -> str:
    mark = place.new("ran")
    touch = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(mark)]}]}
    spawn = {"_target_": "setuptools.distutils.spawn.spawn", "_args_": [["touch", str(mark)]]}
    opened = {"_target_": "builtins.open", "_args_": [str(mark), "w"]}
    trees = [{"_target_": _BASE, "image_encoder": bad} for bad in (touch, spawn, opened, {"deep": [{"deeper": touch}]})]
    for tree in [touch, *trees]:
        path = place.new("hostile.yaml")
        path.write_text(yaml.safe_dump({"model": tree}))
        words = ("--model", path, "--box", "1,1,5,5", *_QUICK, "--out", place.new("out"))
        place.run("track", _case(place, "nopad"), *words).expect(2, "no part of SAM 2")
    expect(not mark.exists(), "something of it was run")
    return f"{1 + len(trees)} refused, none run"


def _settings(place: Workplace) -> str:
    latin = place.new("latin.yaml")
    latin.write_bytes("model: {_target_: é}".encode("latin-1"))
    clip = place.new("clip.json")
    clip.write_text('{"model_cfg": {"embed_dim": 5, "vision_cfg": 5, "text_cfg": {}}}')
    settings = (
        ("model.checkpoint=/etc/passwd",),
        (f"model.name={latin}",),
        ("model.name=/nowhere.yaml",),
        (f"language.name={clip}", "language.weights=untrained"),
        ("max_targets=many",),
        ("max_targets=0",),
        ("no.such=1",),
        ("pruning.keep_ratio=nan",),
    )
    for each in settings:
        words = [word for setting in each for word in ("--set", setting)]
        outcome = place.run("track", _case(place, "nopad"), "--description", "mug", *words, "--out", place.new("out"))
        outcome.expect(2, "fastsam2: error: ")
    return f"{len(settings)} kinds"


def _node_parameters(place: Workplace) -> str:
    broken = place.new("broken.yaml")
    broken.write_text("fastsam2_tracker: [1, {")
    tried = (
        (("max_targets:=many",), 1),
        (("max_targets:=0",), 1),
        (("pruning.keep_ratio:=7.0",), 1),
        (("model.checkpoint:=/etc/passwd",), 1),
        (("image_transport:=theora",), 1),
    )
    for settings, code in tried:
        place.outcome(place.start_node(*settings)).expect(code, "[FATAL]")
    place.processes.start("broken", "fastsam2_ros.node.main", "--ros-args", "--params-file", broken)
    place.outcome("broken").expect(1, "The ROS arguments cannot be used")
    return f"{len(tried) + 1} kinds"


_NATURAL = "6 of 6, headers unchanged, at most one warning, natural length"
GROUP = Group(
    "files",
    Workplace.open,
    (
        Case("wide frames", "masks of 1024 x 128", _wide),
        Case("stamps that start again", _NATURAL, partial(_odd_stamps, name="reset")),
        Case("a first stamp of 0", _NATURAL, partial(_odd_stamps, name="firstzero")),
        Case("usb_cam's yuyv", "tracked, no warning", _yuyv),
        Case("a rotated video", "upright", _rotated),
        Case("frames without zeros", "in the order of their numbers", _order),
        Case("a video cut off", "exit code 2, 10 of 24 told", partial(_damaged, name="trunc.avi", had="10 of 24")),
        Case("a damaged video", "exit code 2, 1 of 24 told", partial(_damaged, name="corrupt_vp9.webm", had="1 of 24")),
        Case("protobuf", "told from damage", _protobuf),
        Case("a bomb in a folder", "exit code 2, one line", _bomb),
        Case("hostile configurations", "refused, nothing is run", _hostile_configurations),
        Case("wrong settings", "exit code 2, one line", _settings),
        Case("wrong parameters", "the node ends with exit code 1 and one line", _node_parameters),
    ),
)  # fmt: skip
