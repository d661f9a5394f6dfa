"""`fastsam2 ablate`: many pruning policies over held-out sequences, as a table and curves."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fastsam2_ros.bags.track import add_settings, settings
from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.ablation.policies import all_policies, select
from fastsam2_ros.lab.evaluation.datasets import open_dataset
from fastsam2_ros.lab.evaluation.sequences import Dataset
from fastsam2_ros.lab.evaluation.worlds import CLOSE, CLOSE_UPS, FRAMES, SEQUENCES, CloseUpDataset, WorldDataset

EXAMPLE = "fastsam2 ablate --model mini --davis ~/data/DAVIS --processes 2"

_NONE = "none"
_FILE_WIDTH = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--sequences",
        type=_count,
        default=SEQUENCES,
        metavar="N",
        help="generated ones, never trained on (default: %(default)s; 0: none)",
    )
    parser.add_argument(
        "--close-ups",
        type=_count,
        default=CLOSE_UPS,
        metavar="N",
        help=f"beside them, ones cut out so that the target covers up to {CLOSE:g} of the frame (default: %(default)s; "
        "0: none)",
    )
    parser.add_argument(
        "--frames", type=_count, default=FRAMES, metavar="N", help="of each of them (default: %(default)s)"
    )
    parser.add_argument(
        "--davis",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="data sets, as 'fastsam2 evaluate' takes them",
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="policies or families of them, beside the dense one"
    )
    parser.add_argument("--processes", type=_count, default=1, metavar="N", help="at once (default: %(default)s)")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("out/ablate"),
        help="folder of the sequences' results; what is there is not done again (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="folder of table and curves (default: docs/results/DATE-ablate-MODEL)")
    add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure, and write the report."""
    config = _config(arguments)
    policies = all_policies(text=config.language.name != _NONE)
    if arguments.only:
        policies = select(policies, arguments.only)
    datasets = _datasets(arguments)
    # Not before it is needed: torch takes seconds to load.
    from fastsam2_ros.lab.evaluation.ablation.study import conduct

    frames = {dataset.title: arguments.frames for dataset in datasets if isinstance(dataset, WorldDataset)}
    study = conduct(policies, config, datasets, arguments.runs, frames, max(1, arguments.processes))
    model = Path(config.model.name).stem
    out = arguments.out or Path("docs/results") / f"{date.today().isoformat()}-ablate-{model}"
    out.mkdir(parents=True, exist_ok=True)
    heads = [dataset.title for dataset in datasets]

    from fastsam2_ros.lab.evaluation.ablation import outputs

    about = outputs.about(config, datasets, study, _words(arguments), _left_out(arguments, config))
    outputs.write(out, about, study, heads)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_WIDTH)
    for head in heads:
        console.print(_table(head, study.rows))
    if about["untrained weights"]:
        console.print("[red]Untrained weights: these figures mean nothing.")
    console.print(f"{out}: results.md, results.json and the curves", highlight=False)


def _config(arguments: argparse.Namespace) -> TrackerConfig:
    """The first mask is given: a language model is loaded only where one is asked for."""
    config = settings(arguments)
    if not any(setting.startswith("language.") for setting in arguments.set):
        config = replace(config, language=replace(config.language, name=_NONE))
    return config


def _datasets(arguments: argparse.Namespace) -> list[Dataset]:
    generated = (WorldDataset(arguments.sequences), CloseUpDataset(arguments.close_ups))
    datasets: list[Dataset] = [dataset for dataset in generated if dataset.count]
    datasets += [open_dataset(folder) for folder in arguments.davis]
    titles = [dataset.title for dataset in datasets]
    if not datasets:
        raise InputError("There is nothing to measure on: give --sequences, --close-ups, or --davis with a folder.")
    if len(set(titles)) < len(titles):
        raise InputError(f"Two data sets have the same name ({', '.join(titles)}); rename a folder.")
    return datasets


def _left_out(arguments: argparse.Namespace, config: TrackerConfig) -> str:
    """What a reader may look for in vain, and why."""
    notes = []
    if arguments.only:
        notes.append(f"all policies but those of --only {' '.join(arguments.only)}")
    if config.language.name == _NONE:
        notes.append("the text cue: it needs a language model (--set language.name=...), and is idle without")
    return "; ".join(notes) or "nothing"


def _words(arguments: argparse.Namespace) -> str:
    """The command, without the folders of its outputs."""
    words = ["fastsam2", "ablate"]
    for name, value in vars(arguments).items():
        if name in ("runs", "out", "processes") or value in (None, [], ""):
            continue
        values = value if isinstance(value, list) else [value]
        if name == "set":
            words += [word for each in values for word in ("--set", each)]
        else:
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


def _table(group: str, rows: Sequence[Any]) -> Table:
    table = Table(title=group, padding=(0, 1, 0, 0), pad_edge=False)
    for number, name in enumerate(("policy", "J&F", "to dense", "queries", "FLOPs", "tiny")):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        if row.group == group:
            shares = (f"{row.queries:.3f}", f"{row.cost:.3f}", f"x{row.speed_ups['tiny']:.2f}")
            table.add_row(row.policy.name, f"{row.j_and_f:.3f}", str(row.to_dense), *shares)
    return table


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)
