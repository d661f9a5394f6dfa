"""`fastsam2 bench`: upstream's step and ours, by stage, in one run."""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from fastsam2_ros.config import UNTRAINED, LanguageConfig, ModelConfig, PruningConfig, TrackerConfig
from fastsam2_ros.lab.evaluation.node_time import measure
from fastsam2_ros.lab.evaluation.upstream import noise_video
from fastsam2_ros.lab.evaluation.upstream_step import UpstreamStep
from fastsam2_ros.language.search import NONE, TextSearch
from fastsam2_ros.results import FINDING_STAGES, Box
from fastsam2_ros.streaming.loading import find_device, load_sam2
from fastsam2_ros.tracker import TextTracker

EXAMPLE = "fastsam2 bench --models tiny --targets 1 --keep 1.0 0.5 0.3"
STAGES = ("encode", "motion", "route", "attend", "decode", "remember", "resize")
_SHORT = ("enc", "mot", "route", "att", "dec", "mem", "size")
"""`STAGES` as the terminal's table heads them."""
SIZE = (720, 1280)
"""Height and width of the frames."""
WARM_FRAMES = 8
"""Frames before the first that counts: memory is full then (a prompt and six frames)."""
UPSTREAM = "upstream"
UPSTREAM_VOS = "upstream vos_optimized"


@dataclass(frozen=True)
class Setting:
    """One thing to be timed: who, which weights, how much is kept, `ModelConfig.image_size`, and `TrackerConfig.max_skip`, with
    which the scene is still.
    """

    variant: str
    model: str
    precision: str
    targets: int
    device: str
    keep_ratio: float = 1.0
    checkpoint: str = UNTRAINED
    image_size: int = 0
    max_skip: int = 0


@dataclass
class Timing:
    """What was measured of a setting.

    Attributes:
        stages: median seconds by stage; in a still scene the mean.
        step: median seconds of a whole step; in a still scene the mean.
        peak_bytes: most memory of a process that did nothing else: of the GPU, or resident on a CPU.
    """

    setting: Setting
    stages: dict[str, float] = field(default_factory=dict)
    step: float = 0.0
    peak_bytes: int = 0


class Stepper(Protocol):
    """Something that tracks one frame and tells the seconds of its stages."""

    def step(self, frame: np.ndarray) -> dict[str, float]:
        """frame: uint8 (H, W, 3), RGB."""


class StreamingStep:
    """Ours: `TextTracker` with a fixed keep ratio and boxes as targets."""

    def __init__(self, setting: Setting) -> None:
        model = ModelConfig(
            name=setting.model,
            checkpoint=setting.checkpoint,
            device=setting.device,
            precision=setting.precision,
            image_size=setting.image_size,
        )
        language = LanguageConfig(name=NONE)
        config = TrackerConfig(
            model=model,
            pruning=PruningConfig(keep_ratio=setting.keep_ratio),
            language=language,
            max_targets=setting.targets,
            max_skip=setting.max_skip,
        )
        sam = load_sam2(model)
        self._tracker = TextTracker(sam, TextSearch(language, sam.streaming.device), config)
        self._index = 0
        for box in boxes(setting.targets):
            self._tracker.set_box(box)

    def step(self, frame: np.ndarray) -> dict[str, float]:
        """Track one frame."""
        self._index += 1
        result = self._tracker.step(frame, self._index * 33_000_000)
        return {stage: seconds for stage, seconds in result.stage_seconds.items() if stage not in FINDING_STAGES}


def boxes(targets: int) -> list[Box]:
    """Boxes spread over the frame."""
    return [(100.0 + 140 * (n % 8), 120.0 + 200 * (n // 8 % 3), 120.0, 160.0) for n in range(targets)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--models", nargs="+", default=["tiny"], help="SAM 2 models (default: tiny)")
    parser.add_argument("--targets", nargs="+", type=int, default=[1], help="targets at once (default: 1)")
    parser.add_argument(
        "--keep", nargs="+", type=float, default=[1.0, 0.5, 0.3], help="keep ratios; 0: the budget (default: 1 .5 .3)"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[0], help="model.image_size of ours (default: the model's own)"
    )
    parser.add_argument(
        "--still", type=int, default=0, metavar="N", help="ours in a still scene too, with max_skip N (default: not)"
    )
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "bf16"), help="(default: fp32)")
    parser.add_argument("--vos-optimized", action="store_true", help="upstream's compiled predictor too (for GPUs)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ... (default: auto)")
    parser.add_argument(
        "--checkpoint", default=UNTRAINED, help="weights; default: random ones, which take the same time"
    )
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
            base = Setting(UPSTREAM, model, precision, targets, str(device), checkpoint=arguments.checkpoint)
            timings += compare(list(_variants(base, arguments)), arguments.frames, progress)
    node = [str(measure(node_config(arguments), SIZE, WARM_FRAMES, arguments.frames))] if arguments.node else []
    machine = describe_machine(device)
    console = Console()
    console.print(*result_tables(timings), "share: of upstream's step; MB: peak", *node, machine, sep="\n")
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
    stem.with_suffix(".md").write_text(markdown(timings, machine, arguments, node), encoding="utf-8")
    console.print(f"Written: {stem}.md and .json")


def node_config(arguments: argparse.Namespace) -> TrackerConfig:
    """What the node is timed with: the first model, one target given by a box."""
    model = ModelConfig(
        name=arguments.models[0],
        checkpoint=arguments.checkpoint,
        device=arguments.device,
        precision=arguments.precision[0],
    )
    return TrackerConfig(model=model, language=LanguageConfig(name=NONE))


def _variants(base: Setting, arguments: argparse.Namespace) -> Iterator[Setting]:
    yield base
    if arguments.vos_optimized:
        yield replace(base, variant=UPSTREAM_VOS)
    for image_size, keep_ratio in itertools.product(arguments.sizes, arguments.keep):
        ours = replace(base, variant="ours", keep_ratio=keep_ratio, image_size=image_size)
        yield ours
        if arguments.still:
            yield replace(ours, max_skip=arguments.still)


def compare(settings: Sequence[Setting], frames: int, progress: Progress) -> list[Timing]:
    """Time settings frame by frame in turn, so that a busy moment of the machine hits all alike."""
    label = f"{settings[0].model}, {settings[0].precision}, {settings[0].targets} targets"
    task = progress.add_task(label, total=(WARM_FRAMES + frames) * len(settings) + len(settings))
    video = noise_video(4, SIZE)
    steppers = [make(setting) for setting in settings]
    seen: list[dict[str, list[float]]] = [defaultdict(list) for _ in settings]
    for index in range(WARM_FRAMES + frames):
        for setting, stepper, figures in zip(settings, steppers, seen, strict=True):
            stages = stepper.step(video[0 if setting.max_skip else index % len(video)])
            progress.advance(task)
            if index >= WARM_FRAMES:
                figures["step"].append(sum(stages.values()))
                for stage, seconds in stages.items():
                    figures[stage].append(seconds)
    del steppers
    timings = []
    for setting, figures in zip(settings, seen, strict=True):
        # The models run in some frames of a still scene only: there the median says nothing.
        typical = (lambda values: sum(values) / frames) if setting.max_skip else statistics.median
        times = {stage: typical(values) for stage, values in figures.items()}
        step = times.pop("step")
        timings.append(Timing(setting, times, step, peak_in_own_process(setting)))
        progress.advance(task)
    return timings


def make(setting: Setting) -> Stepper:
    """The stepper of a setting."""
    if setting.variant == "ours":
        return StreamingStep(setting)
    model = ModelConfig(name=setting.model, checkpoint=setting.checkpoint, device=setting.device)
    return UpstreamStep(model, setting.precision, boxes(setting.targets), SIZE, setting.variant == UPSTREAM_VOS)


def peak_in_own_process(setting: Setting) -> int:
    """See `peak_bytes`; what this process did before has no part in it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak_bytes, setting).result()


def peak_bytes(setting: Setting) -> int:
    """Most memory that this process ever had, after enough steps to fill the memory bank."""
    stepper = make(setting)
    video = noise_video(2, SIZE)
    for index in range(WARM_FRAMES + 1):
        stepper.step(video[index % 2])
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


def rows(timings: Sequence[Timing]) -> list[list[str]]:
    """The table's cells: times in ms, and each step as a share of upstream's of the same model, precision and targets."""
    upstream = {_key(t.setting): t.step for t in timings if t.setting.variant == UPSTREAM}
    cells = []
    for timing in timings:
        setting = timing.setting
        name = _name(setting)
        stages = [_milliseconds(timing.stages[stage]) if stage in timing.stages else "" for stage in STAGES]
        ratio = f"{timing.step / upstream[_key(setting)]:.2f}"
        what = (setting.model, setting.precision, str(setting.targets), name)
        peak = f"{timing.peak_bytes / (1 << 20):.0f}"
        cells.append([*what, *stages, _milliseconds(timing.step), ratio, peak])
    return cells


def _name(setting: Setting) -> str:
    if setting.variant != "ours":
        return setting.variant
    keep = f"keep {setting.keep_ratio:g}" if setting.keep_ratio else "budget"
    size = f", {setting.image_size} px" if setting.image_size else ""
    return f"ours, {keep}{size}" + (", still" if setting.max_skip else "")


def _key(setting: Setting) -> tuple[Any, ...]:
    return setting.model, setting.precision, setting.targets


HEADER = ["model", "precision", "targets", "variant", *STAGES, "step", "of upstream", "peak MB"]


def result_tables(timings: Sequence[Timing]) -> list[Table]:
    """For the terminal, readable in 80 columns: one for each model, precision and number of targets."""
    tables = []
    for (model, precision, targets), group in itertools.groupby(rows(timings), lambda cells: cells[:3]):
        table = Table(
            title=f"{model}, {precision}, targets: {targets}. Median ms per frame", padding=(0, 0), pad_edge=False
        )
        table.add_column("variant")
        for name in (*_SHORT, "step", "share", "MB"):
            table.add_column(name, justify="right", no_wrap=True)
        for cells in group:
            table.add_row(*cells[3:])
        tables.append(table)
    return tables


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.{0 if seconds >= 1 else 1}f}"


def markdown(timings: Sequence[Timing], machine: str, arguments: argparse.Namespace, node: Sequence[str] = ()) -> str:
    """The page that goes into the repository."""
    words = ["fastsam2 bench --models", *arguments.models, "--targets", *map(str, arguments.targets)]
    words += ["--keep", *map(str, arguments.keep), "--precision", *arguments.precision, f"--frames {arguments.frames}"]
    words += ["--sizes", *map(str, arguments.sizes)] if any(arguments.sizes) else []
    words += [f"--still {arguments.still}"] if arguments.still else []
    words += ["--vos-optimized"] if arguments.vos_optimized else []
    words += ["--node"] if node else []
    lines = [
        f"# Time of a step, {date.today().isoformat()}",
        "",
        f"`{' '.join(words)}` on {machine}.",
        "",
        f"Median ms per frame of {SIZE[1]}x{SIZE[0]}, in a still scene the mean; memory full, variants frame by frame in turn.",
        "Upstream is the step of `SAM2VideoPredictor` (encoder once per frame, everything else target by target). `peak MB` is",
        "the most memory of a process that ran this variant alone: resident on a CPU, allocated on a GPU.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + " --- |" * len(HEADER),
    ]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows(timings)]
    lines += ["", *node] if node else []
    return "\n".join(lines) + "\n"
