"""`fastsam2 bench`: upstream's step and ours, by stage, in one run."""

from __future__ import annotations

import argparse
import itertools
import json
import platform
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from fastsam2_ros.config import MINI, UNTRAINED, LanguageConfig, ModelConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.bench_scene import SIZE, bench_scene
from fastsam2_ros.lab.evaluation.bench_steps import CLOCKS, OURS, UPSTREAM, Setting, Timing, make, other_name
from fastsam2_ros.lab.evaluation.bench_table import markdown, result_tables
from fastsam2_ros.lab.evaluation.node_time import measure
from fastsam2_ros.language.search import NONE
from fastsam2_ros.streaming.loading import find_device

EXAMPLE = "fastsam2 bench --models mini --targets 1 4 --keep 0 1"
WARM_FRAMES = 8
"""Frames before the first that counts: memory is full then (a prompt and six frames)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--models", nargs="+", default=[MINI], help="SAM 2 models (default: mini)")
    parser.add_argument("--targets", nargs="+", type=int, default=[1], help="targets at once, 1 to 6 (default: 1)")
    parser.add_argument(
        "--keep", nargs="+", type=float, default=[0.0, 1.0], help="keep ratios; 0: the budget (default: 0 1)"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[0], help="model.image_size of ours (default: the model's own)"
    )
    parser.add_argument(
        "--still", type=int, default=0, metavar="N", help="ours in a still scene too, with max_skip N (default: not)"
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        default=["auto"],
        choices=("auto", "fp32", "bf16"),
        help="model.precision; auto is upstream's fp32 on a CPU (default: auto)",
    )
    parser.add_argument("--backends", nargs="+", default=["auto"], help="model.backend of ours (default: auto)")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="another commit's checkout of this project too, on the same weights",
    )
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="wall",
        help="cpu: time of all processors together, for a machine that others use too (default: %(default)s)",
    )
    parser.add_argument("--vos-optimized", action="store_true", help="upstream's compiled predictor too (for GPUs)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ... (default: auto)")
    parser.add_argument("--checkpoint", help="weights (default: those that come with mini, random ones for the others)")
    parser.add_argument(
        "--node", action="store_true", help="the first model in the node too: what a frame costs beside the model"
    )
    parser.add_argument("--frames", type=int, default=8, help="frames that count (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Time every combination; print the table and write it, with the raw figures, into the folder."""
    device = find_device(arguments.device)
    timings: list[Timing] = []
    combinations = list(itertools.product(arguments.models, arguments.precision, arguments.targets))
    with Progress(transient=True) as progress:
        for model, precision, targets in combinations:
            checkpoint = checkpoint_of(model, arguments)
            base = Setting(UPSTREAM, model, precision, targets, str(device), 1.0, checkpoint, clock=arguments.clock)
            timings += compare(list(_variants(base, arguments)), arguments.frames, progress)
    node = [str(measure(node_config(arguments), WARM_FRAMES, arguments.frames))] if arguments.node else []
    machine = describe_machine(device)
    console = Console()
    tables = result_tables(timings, arguments.clock)
    console.print(*tables, "share: of upstream's step; MB: peak", *node, machine, sep="\n")
    models = "-".join(Path(model).stem for model in arguments.models)
    stem = arguments.out / f"{date.today().isoformat()}-bench-{device.type}-{models}"
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures = {
        "machine": machine,
        "frames": arguments.frames,
        "size": SIZE,
        "timings": [asdict(t) for t in timings],
        "node": node,
    }
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    page = markdown(timings, command(arguments), machine, arguments.clock, node)
    stem.with_suffix(".md").write_text(page, encoding="utf-8")
    console.print(f"Written: {stem}.md and .json")


def checkpoint_of(model: str, arguments: argparse.Namespace) -> str:
    """`ModelConfig.checkpoint`: the weights that were given, or those that come with the model, or random ones."""
    if arguments.checkpoint is not None:
        return str(arguments.checkpoint)
    return "" if model == MINI else UNTRAINED


def node_config(arguments: argparse.Namespace) -> TrackerConfig:
    """What the node is timed with: the first model, one target given by a box."""
    model = ModelConfig(
        name=arguments.models[0],
        checkpoint=checkpoint_of(arguments.models[0], arguments),
        device=arguments.device,
        precision=arguments.precision[0],
    )
    return TrackerConfig(model=model, language=LanguageConfig(name=NONE))


def _variants(base: Setting, arguments: argparse.Namespace) -> Iterator[Setting]:
    yield base
    if arguments.vos_optimized:
        yield replace(base, variant="upstream vos_optimized", vos_optimized=True)
    for image_size, keep_ratio in itertools.product(arguments.sizes, arguments.keep):
        alike = replace(base, variant=OURS, keep_ratio=keep_ratio, image_size=image_size)
        if arguments.against is not None:
            other = arguments.against.resolve()
            yield replace(alike, variant=other_name(other), checkout=str(other))
        for backend in arguments.backends:
            ours = replace(alike, backend=backend)
            yield ours
            if arguments.still:
                yield replace(ours, max_skip=arguments.still)


def compare(settings: Sequence[Setting], frames: int, progress: Progress) -> list[Timing]:
    """Time settings frame by frame in turn, so that a busy moment of the machine hits all alike."""
    label = f"{settings[0].model}, {settings[0].precision}, {settings[0].targets} targets"
    task = progress.add_task(label, total=(WARM_FRAMES + frames) * len(settings) + len(settings))
    scene = bench_scene(WARM_FRAMES + frames)
    steppers = [make(setting, scene.targets(setting.targets)) for setting in settings]
    seen: list[dict[str, list[float]]] = [defaultdict(list) for _ in settings]
    for index, frame in enumerate(scene.frames):
        for setting, stepper, figures in zip(settings, steppers, seen, strict=True):
            stages = stepper.step(scene.frames[0] if setting.max_skip else frame)
            progress.advance(task)
            if index >= WARM_FRAMES:
                figures["step"].append(sum(stages.values()))
                for stage, seconds in stages.items():
                    figures[stage].append(seconds)
    del steppers, stepper
    timings = []
    for setting, figures in zip(settings, seen, strict=True):
        # The mean: memory is not written in every frame, and in a still scene the models run in some frames alone.
        times = {stage: sum(values) / frames for stage, values in figures.items()}
        step = times.pop("step")
        timings.append(Timing(setting, times, step, 0 if setting.checkout else peak_in_own_process(setting)))
        progress.advance(task)
    return timings


def peak_in_own_process(setting: Setting) -> int:
    """See `peak_bytes`; what this process did before has no part in it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak_bytes, setting).result()


def peak_bytes(setting: Setting) -> int:
    """Most memory that this process ever had, after enough steps to fill the memory bank."""
    scene = bench_scene(WARM_FRAMES + 1)
    stepper = make(setting, scene.targets(setting.targets))
    for frame in scene.frames:
        stepper.step(frame)
    if setting.device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    # Not getrusage: its maximum begins with that of the parent process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def describe_machine(device: torch.device) -> str:
    """Processor or GPU, threads and versions, in one line."""
    if device.type == "cuda":
        what = torch.cuda.get_device_name(device)
    else:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
        what = f"{name}, {torch.get_num_threads()} threads"
    return f"{what}; torch {torch.__version__}, Python {platform.python_version()}"


def command(arguments: argparse.Namespace) -> str:
    """What was called, so that others can call it."""
    words = ["fastsam2 bench --models", *arguments.models, "--targets", *map(str, arguments.targets)]
    words += ["--keep", *(f"{ratio:g}" for ratio in arguments.keep), "--precision", *arguments.precision]
    words += ["--frames", str(arguments.frames)]
    words += ["--sizes", *map(str, arguments.sizes)] if any(arguments.sizes) else []
    words += ["--backends", *arguments.backends] if arguments.backends != ["auto"] else []
    words += [f"--still {arguments.still}"] if arguments.still else []
    words += [f"--against {other_name(arguments.against)}"] if arguments.against else []
    words += [f"--clock {arguments.clock}"] if arguments.clock != "wall" else []
    words += ["--vos-optimized"] if arguments.vos_optimized else []
    words += ["--node"] if arguments.node else []
    return " ".join(words)
