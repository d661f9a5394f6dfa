"""`fastsam2 evaluate`: J&F over a data set or the generated world, with baselines, plots and videos."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastsam2_ros.bags.track import add_settings, settings
from fastsam2_ros.config import TrackerConfig, flat_options, flat_values
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation import report
from fastsam2_ros.lab.evaluation.baselines import BoxTracker, FirstMask, StoredMasks
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.neighbours import NearestNeighbours
from fastsam2_ros.lab.evaluation.ours import FIRST_MASK, MODES, Ours
from fastsam2_ros.lab.evaluation.run import Job, Method, Record, plan, run_jobs
from fastsam2_ros.lab.evaluation.sequences import Dataset
from fastsam2_ros.lab.evaluation.worlds import SEQUENCES, WorldDataset

EXAMPLE = "fastsam2 evaluate ~/data/DAVIS --mode first-mask --model tiny --baselines --out out/davis"

SYNTHETIC = "synthetic"
_FILE_WIDTH = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "dataset",
        help="folder of DAVIS, YouTube-VOS, MOSE, LVOS or SA-V, or of a generated world; "
        f"'{SYNTHETIC}': sequences that are generated now, never trained on",
    )
    parser.add_argument("--split", default="", help="such as val, train or 2016/val (default: val where it is named)")
    parser.add_argument(
        "--mode", choices=MODES, default=FIRST_MASK, help="what the tracker is given (default: %(default)s)"
    )
    parser.add_argument(
        "--descriptions",
        type=Path,
        metavar="FILE",
        help='what the objects are called, as JSON: {"NAME": {"objects": {"1": "red mug"}}} (default: what the data set says)',
    )
    parser.add_argument(
        "--masks", type=Path, metavar="FOLDER", help="judge these masks, SEQUENCE/FRAME.png; track nothing"
    )
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="also the first mask repeated, a classical tracker, and nearest neighbours among the trunk's features",
    )
    parser.add_argument(
        "--sequences", type=_count, metavar="N", help=f"the first N (default: all; {SYNTHETIC}: {SEQUENCES})"
    )
    parser.add_argument("--max-frames", type=_count, metavar="N", help="the first N frames of each")
    parser.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes at once (default: %(default)s)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/evaluate"),
        help="folder; what is there already is not done again (default: %(default)s)",
    )
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, and write the report."""
    dataset: Dataset
    if arguments.dataset == SYNTHETIC:
        dataset = WorldDataset(arguments.sequences or SEQUENCES)
    else:
        dataset = open_dataset(Path(arguments.dataset), arguments.split, arguments.descriptions)
    names = dataset.names[: arguments.sequences]
    config = _config(arguments)
    methods = _methods(arguments, config)
    jobs = plan(dataset, names, methods, arguments.mode, arguments.out, arguments.max_frames)
    done = _with_progress(jobs, arguments.jobs)
    records = [record for _, record in done]

    title = f"{dataset.title}, {arguments.mode.replace('-', ' ')}"
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    if len(names) > 1:
        console.print(report.table(report.sequence_rows(records), f"{title}: sequences"))
    console.print(report.table(report.summary_rows(records), title))
    for line in report.rates(records):
        console.print(str(line), highlight=False)
    untrained = any(record["untrained"] for record in records)
    if untrained:
        console.print("[red]Untrained weights: these figures mean nothing.")
    about = {
        "data set": dataset.identity,
        "given": arguments.mode.replace("-", " "),
        "sequences": len(names),
        "frames of each": arguments.max_frames or "all",
        "settings": "" if arguments.masks else differing(config),
        "untrained weights": "yes: these figures mean nothing" if untrained else "no",
    }
    _write(arguments.out, title, about, done, methods[0].name)
    console.print(f"{arguments.out}: results.md, results.json, plot.png, best.mp4, worst.mp4, runs", highlight=False)


def _write(out: Path, title: str, about: dict[str, Any], done: Sequence[tuple[Job, Record]], method: str) -> None:
    # Not before it is needed: matplotlib takes a second to load.
    from fastsam2_ros.lab.evaluation.pictures import best_and_worst, overlay, plot

    shown = best_and_worst([each for each in done if each[1]["method"] == method])
    about |= {f"{name}.mp4": job.sequence for name, job, _ in shown}
    records = [record for _, record in done]
    report.write_json(out / "results.json", records, about)
    report.write_markdown(out / "results.md", records, title, [f"{key}: {value}" for key, value in about.items()])
    plot(out / "plot.png", records)
    for name, job, record in shown:
        overlay(out / f"{name}.mp4", job, record)


def _with_progress(jobs: Sequence[Job], processes: int) -> list[tuple[Job, Record]]:
    """Jobs with their records, in the order of the jobs' sequences."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("evaluating", total=len(jobs))
        for job, record in run_jobs(jobs, processes):
            done[job.file] = record
            progress.update(task, advance=1, description=f"{job.sequence}, {job.method.name}")
    order = {job.sequence: number for number, job in reversed(list(enumerate(jobs)))}
    return [(job, done[job.file]) for job in sorted(jobs, key=lambda job: order[job.sequence])]


def _methods(arguments: argparse.Namespace, config: TrackerConfig) -> list[Method]:
    if arguments.baselines and arguments.mode != FIRST_MASK:
        raise InputError(
            f"The baselines start from the first mask; take --mode {FIRST_MASK}, or leave out --baselines."
        )
    if arguments.masks and not arguments.masks.is_dir():
        raise InputError(f"There is no folder {arguments.masks}; --masks takes one with SEQUENCE/FRAME.png.")
    own: Method = StoredMasks(arguments.masks) if arguments.masks else Ours(config, arguments.mode)
    return [own, FirstMask(), BoxTracker(), NearestNeighbours(config.model)] if arguments.baselines else [own]


def _config(arguments: argparse.Namespace) -> TrackerConfig:
    """With the first mask given, a language model is loaded only where one is asked for."""
    config = settings(arguments)
    asked = any(setting.startswith("language.") for setting in arguments.set)
    if arguments.mode == FIRST_MASK and not asked:
        config = replace(config, language=replace(config.language, name="none"))
    return config


def differing(config: TrackerConfig) -> str:
    """The model, and the settings that are not the default."""
    options = flat_options()
    values = flat_values(config).items()
    return " ".join(
        f"{name}={value}" for name, value in values if value != options[name].default or name == "model.name"
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
