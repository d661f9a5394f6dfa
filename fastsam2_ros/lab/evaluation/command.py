"""`fastsam2 evaluate`: J&F over a data set or the generated world, with baselines, plots and videos."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from fastsam2_ros.bags.track import add_settings, settings
from fastsam2_ros.batch import workers
from fastsam2_ros.batch.progress import followed, tell_failed
from fastsam2_ros.batch.sources import find_sources, is_pattern
from fastsam2_ros.batch.workers import count_from_one
from fastsam2_ros.config import TrackerConfig, flat_options, flat_values
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation import report
from fastsam2_ros.lab.evaluation.baselines import FirstMask, StoredMasks
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
        nargs="+",
        help="folder of DAVIS, YouTube-VOS, MOSE, LVOS or SA-V, or of a generated world; "
        f"'{SYNTHETIC}': sequences that are generated now, never trained on; several, or a glob, get a folder each in --out",
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
        help="also the first mask repeated, and nearest neighbours among the trunk's features",
    )
    parser.add_argument(
        "--sequences", type=count_from_one, metavar="N", help=f"the first N (default: all; {SYNTHETIC}: {SEQUENCES})"
    )
    parser.add_argument("--max-frames", type=count_from_one, metavar="N", help="the first N frames of each")
    workers.add_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/evaluate"),
        help="folder; what is there already is not done again (default: %(default)s)",
    )
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, and write a report of each data set."""
    config = _config(arguments)
    methods = _methods(arguments, config)
    parts = []
    for dataset, out in _datasets(arguments):
        sequences = dataset.names[: arguments.sequences]
        parts.append(_Part(dataset, out, plan(dataset, sequences, methods, arguments.mode, out, arguments.max_frames)))
    jobs = [job for part in parts for job in part.jobs]
    names = {job.file: job.sequence for job in jobs}
    if len(parts) > 1:
        names = {job.file: f"{part.out.name}, {job.sequence}" for part in parts for job in part.jobs}
    team = workers.of_arguments(arguments, config.model.device)
    outcomes = followed(run_jobs(jobs, team), len(jobs), lambda job: f"{names[job.file]}, {job.method.name}")
    done = {outcome.job.file: outcome for outcome in outcomes}

    failed = []
    for part in parts:
        missing = [f"{names[job.file]}, {job.method.name}" for job in part.jobs if done[job.file].error is not None]
        failed += missing
        records = [(job, done[job.file].value()) for job in part.by_sequence() if done[job.file].error is None]
        if records:
            _report(part, records, arguments, config, methods[0].name, missing)
    tell_failed(failed, len(jobs))


@dataclass(frozen=True)
class _Part:
    """One data set, the folder of its report, and its jobs."""

    dataset: Dataset
    out: Path
    jobs: Sequence[Job]

    def by_sequence(self) -> list[Job]:
        """The jobs in the order of their sequences, all methods of one together."""
        order = {name: number for number, name in enumerate(self.dataset.names)}
        return sorted(self.jobs, key=lambda job: order[job.sequence])


def _datasets(arguments: argparse.Namespace) -> list[tuple[Dataset, Path]]:
    """The data sets with a folder each: the only one's is `--out` itself."""
    words = list(dict.fromkeys(arguments.dataset))
    alone = len(words) == 1 and not is_pattern(words[0])
    synthetic = WorldDataset(arguments.sequences or SEQUENCES)
    found: list[tuple[Dataset, str]] = [(synthetic, SYNTHETIC)] if SYNTHETIC in words else []
    if folders := [word for word in words if word != SYNTHETIC]:
        found += [
            (open_dataset(source.path, arguments.split, arguments.descriptions), source.name)
            for source in find_sources(folders, arguments.out, [name for _, name in found])
        ]
    return [(dataset, arguments.out if alone else arguments.out / name) for dataset, name in found]


def _report(
    part: _Part,
    done: Sequence[tuple[Job, Record]],
    arguments: argparse.Namespace,
    config: TrackerConfig,
    method: str,
    failed: Sequence[str],
) -> None:
    """Print and write what came of one data set. method: whose best and worst are shown."""
    dataset, records = part.dataset, [record for _, record in done]
    sequences = len({record["sequence"] for record in records})
    title = f"{dataset.title}, {arguments.mode.replace('-', ' ')}"
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    if sequences > 1:
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
        "sequences": sequences,
        "frames of each": arguments.max_frames or "all",
        "settings": "" if arguments.masks else differing(config),
        "untrained weights": "yes: these figures mean nothing" if untrained else "no",
    }
    if failed:
        about["failed, and not in the figures"] = "; ".join(failed)
    _write(part.out, title, about, done, method)
    console.print(f"{part.out}: results.md, results.json, plot.png, best.mp4, worst.mp4, runs", highlight=False)


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


def _methods(arguments: argparse.Namespace, config: TrackerConfig) -> list[Method]:
    if arguments.baselines and arguments.mode != FIRST_MASK:
        raise InputError(
            f"The baselines start from the first mask; take --mode {FIRST_MASK}, or leave out --baselines."
        )
    if arguments.masks and not arguments.masks.is_dir():
        raise InputError(f"There is no folder {arguments.masks}; --masks takes one with SEQUENCE/FRAME.png.")
    own: Method = StoredMasks(arguments.masks) if arguments.masks else Ours(config, arguments.mode)
    return [own, FirstMask(), NearestNeighbours(config.model)] if arguments.baselines else [own]


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
