"""From a list of policies to rows: first those that stand by themselves, then those that are matched to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastsam2_ros.batch.progress import followed, tell_failed
from fastsam2_ros.config import TrackerConfig, flat_values
from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.ablation.comparison import Row, rows
from fastsam2_ros.lab.evaluation.ablation.matching import resolve
from fastsam2_ros.lab.evaluation.ablation.policies import DENSE, Policy, configure
from fastsam2_ros.lab.evaluation.ablation.store import Results, key, plan, run_jobs
from fastsam2_ros.lab.evaluation.sequences import Dataset

UNSEARCHED = {"search_seconds": 600.0}
"""A lost target is not searched by its text: that would be the language model's merit, not the policy's."""


@dataclass(frozen=True)
class Study:
    """Policies, measured.

    Attributes:
        policies: with the ratios that were found for those that are matched.
        results: of all sequences.
        rows: of all policies and groups of sequences.
    """

    policies: Sequence[Policy]
    results: Results
    rows: Sequence[Row]


def conduct(
    policies: Sequence[Policy],
    base: TrackerConfig,
    datasets: Sequence[Dataset],
    folder: Path,
    frames: Mapping[str, int],
    processes: int = 1,
) -> Study:
    """Measure what is not in the folder yet.

    Args:
        policies: the dense one among them.
        base: settings that policies do not change.
        datasets: the first one is what matched ratios are read off.
        folder: of the sequences' results.
        frames: length at which sequences are cut, by the data set's title; those of others are not.
        processes: how many work at once.

    Raises:
        FastSam2Error: a policy that cannot be, or sequences that are damaged; all others are measured and kept.
    """
    values = {**flat_values(base), **UNSEARCHED}
    # Whatever is wrong with a policy is told before hours of work, and for the matched ones too.
    configs = {policy.name: configure(policy, values) for policy in policies}
    keys: dict[str, str] = {}
    results = Results()

    def measure(chosen: Sequence[Policy], title: str) -> None:
        wanted = {policy.name: configure(policy, values) for policy in chosen}
        keys.update({name: key(variant) for name, variant in wanted.items()})
        jobs = [
            job
            for dataset in datasets
            for job in plan(
                dataset,
                {keys[name]: variant for name, variant in wanted.items()},
                configs[DENSE],
                folder,
                frames.get(dataset.title),
            )
        ]
        outcomes = followed(run_jobs(jobs, processes, results), len(jobs), lambda job: f"{title}: {job.sequence}")
        tell_failed([done.job.sequence for done in outcomes if done.error is not None], len(jobs))

    plain = [policy for policy in policies if policy.match is None]
    measure(plain, f"{len(plain)} policies")
    found = rows(plain, keys, results)
    if not found:
        raise InputError("Nothing is judged in these sequences; take longer ones: --frames 3 or more.")
    resolved = resolve(policies, [row for row in found if row.group == found[0].group])
    matched = [policy for policy, before in zip(resolved, policies, strict=True) if before.match is not None]
    if matched:
        measure(matched, f"{len(matched)} matched policies")
    return Study(resolved, results, rows(resolved, keys, results))
