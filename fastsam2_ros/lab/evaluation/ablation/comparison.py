"""From measurements to the rows of the report: means over sequences, differences paired over them, and the front."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastsam2_ros.lab.evaluation.ablation.gain import ENCODER, speed_up
from fastsam2_ros.lab.evaluation.ablation.measure import Measurement
from fastsam2_ros.lab.evaluation.ablation.policies import DENSE, Policy
from fastsam2_ros.lab.evaluation.ablation.store import Results

CERTAIN = 2.0
"""Standard errors that a difference must reach to be called one."""

BySequence = Mapping[str, float]


@dataclass(frozen=True)
class Difference:
    """How much one policy is better than another on the same sequences.

    Attributes:
        mean: of the differences of J&F.
        error: its standard error; NaN for fewer than two sequences.
        count: of sequences.
    """

    mean: float
    error: float
    count: int

    @property
    def verdict(self) -> str:
        """'better' or 'worse' where the mean is at least `CERTAIN` standard errors from 0; 'equal' where nothing differs."""
        if self.mean == 0 and self.error == 0:
            return "equal"
        if not math.isnan(self.error) and abs(self.mean) >= CERTAIN * self.error:
            return "better" if self.mean > 0 else "worse"
        return "not told apart"

    def __str__(self) -> str:
        error = "" if math.isnan(self.error) else f" ± {self.error:.3f}"
        return f"{round(self.mean, 3) + 0:+.3f}{error}"  # adding 0 turns -0.000 into +0.000


@dataclass(frozen=True)
class Row:
    """One policy on one group of sequences; every sequence counts alike.

    Attributes:
        policy: which.
        group: of sequences.
        sequences: how many.
        j, f: means, [0, 1].
        to_dense: J&F less that of the dense policy.
        to_other: J&F less that of `Policy.against`; None where there is none.
        keep_ratio, queries, keys, cost: shares of what the dense policy has: of tokens as the tracker reports it, of query
            tokens, of spatial memory tokens, and of memory attention's FLOPs at `tiny`'s sizes.
        seconds: median time by stage and of the step, as a share of the dense policy's in the same run.
        memory_bytes: most that the memory of a target takes.
    """

    policy: Policy
    group: str
    sequences: int
    j: float
    f: float
    to_dense: Difference
    to_other: Difference | None
    keep_ratio: float
    queries: float
    keys: float
    cost: float
    seconds: Mapping[str, float]
    memory_bytes: float

    @property
    def j_and_f(self) -> float:
        """The mean of J and F."""
        return (self.j + self.f) / 2

    @property
    def speed_ups(self) -> dict[str, float]:
        """How much faster a step of a model with one target is by FLOPs."""
        return {model: speed_up(model, self.cost) for model in ENCODER}


def pair(these: BySequence, others: BySequence) -> Difference:
    """The mean difference over the sequences that both have, with its standard error."""
    differences = [these[name] - others[name] for name in these.keys() & others.keys()]
    if not differences:
        return Difference(math.nan, math.nan, 0)
    count = len(differences)
    error = statistics.stdev(differences) / math.sqrt(count) if count > 1 else math.nan
    return Difference(statistics.fmean(differences), error, count)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points (cost, quality) that no other beats in one without being worse in the other, by rising cost.

    Of equal points the first is taken.
    """
    best, indices = -math.inf, []
    for index in sorted(range(len(points)), key=lambda each: (points[each][0], -points[each][1], each)):
        if points[index][1] > best:
            best = points[index][1]
            indices.append(index)
    return indices


def group_names(results: Results) -> list[str]:
    """Of the groups of sequences: data sets first, then levels."""
    heads = list(dict.fromkeys(parts[0] for parts in results.groups.values()))
    return [*heads, *sorted({name for parts in results.groups.values() for name in parts[1:]} - set(heads))]


def rows(policies: Sequence[Policy], keys: Mapping[str, str], results: Results) -> list[Row]:
    """A row for each group and policy, in this order.

    Args:
        policies: the dense one among them.
        keys: `store.key` of each, by name.
        results: of all of them on all sequences.
    """
    table = {
        policy.name: {name: done[keys[policy.name]] for name, done in results.measurements.items()}
        for policy in policies
    }
    scores = {
        policy: {name: mean_scores(each) for name, each in measured.items()} for policy, measured in table.items()
    }
    result = []
    for group in group_names(results):
        # Where nothing is judged, as in a sequence of two frames, there is nothing to compare.
        members = [name for name, parts in results.groups.items() if group in parts and scores[DENSE][name]]
        if members:
            result += [_row(policy, group, members, table, scores) for policy in policies]
    return result


def j_and_f(scores: Mapping[str, tuple[float, ...]], members: Sequence[str]) -> dict[str, float]:
    """The mean of J and F by sequence."""
    return {name: sum(scores[name]) / 2 for name in members}


def _row(
    policy: Policy,
    group: str,
    members: Sequence[str],
    table: Mapping[str, Mapping[str, Measurement]],
    scores: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> Row:
    own, dense = table[policy.name], table[DENSE]
    mine = j_and_f(scores[policy.name], members)
    has_other = policy.against in scores
    stages = [stage for stage in own[members[0]].seconds if stage in dense[members[0]].seconds]
    return Row(
        policy,
        group,
        len(members),
        statistics.fmean(scores[policy.name][name][0] for name in members),
        statistics.fmean(scores[policy.name][name][1] for name in members),
        pair(mine, j_and_f(scores[DENSE], members)),
        pair(mine, j_and_f(scores[policy.against], members)) if has_other else None,
        statistics.fmean(mean_tracked(own[name], own[name].keep_ratio) for name in members),
        statistics.fmean(mean_tracked(own[name], own[name].queries) / own[name].tokens for name in members),
        statistics.fmean(sum(own[name].keys) / sum(dense[name].keys) for name in members),
        statistics.fmean(sum(own[name].flops) / sum(dense[name].flops) for name in members),
        {stage: statistics.fmean(_time_share(own[name], stage) for name in members) for stage in stages},
        max(own[name].memory_bytes for name in members),
    )


def mean_tracked(measured: Measurement, values: Sequence[float]) -> float:
    """Mean of a value per frame over the frames in which something was tracked."""
    return statistics.fmean(value for value, flops in zip(values, measured.flops, strict=True) if flops)


def mean_scores(measured: Measurement) -> tuple[float, ...]:
    """J and F, means over frames and then over objects; empty where nothing is judged."""
    objects = [number for number, frames in measured.frames.items() if frames]
    return tuple(
        statistics.fmean(statistics.fmean(values[number]) for number in objects)
        for values in (measured.j, measured.f)
        if objects
    )


def _time_share(measured: Measurement, stage: str) -> float:
    dense = measured.dense_seconds[stage]
    return measured.seconds[stage] / dense if dense else math.nan
