"""Fixed keep ratios that have as many tokens, or cost as much, as another policy did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastsam2_ros.errors import InputError
from fastsam2_ros.lab.evaluation.ablation.comparison import Row
from fastsam2_ros.lab.evaluation.ablation.policies import KEEP, Match, Policy

_DIGITS = 3
"""Of the ratio found: a token more or less is no other policy."""


def resolve(policies: Sequence[Policy], rows: Sequence[Row]) -> list[Policy]:
    """The policies with a ratio for each `Match`, read off the measured ones with a fixed ratio, straight between them.

    Args:
        policies: with and without match.
        rows: of those without, over the same group of sequences.

    Raises:
        InputError: fewer than two fixed ratios are measured, or what is to be matched is not.
    """
    measured = {row.policy.name: row for row in rows}
    fixed = [row for row in rows if row.policy.family == KEEP]
    return [
        policy if policy.match is None else policy.with_ratio(_ratio(policy.name, policy.match, measured, fixed))
        for policy in policies
    ]


def _ratio(name: str, match: Match, measured: Mapping[str, Row], fixed: Sequence[Row]) -> float:
    other = match.tokens_of or match.cost_of
    if other not in measured:
        raise InputError(
            f"The policy {name!r} is matched to {other!r}, which is not among those chosen; add it to --only."
        )
    if len(fixed) < 2:
        raise InputError(f"The policy {name!r} is matched to fixed keep ratios; add {KEEP!r} to --only.")
    if match.tokens_of:
        wanted, amounts = measured[other].queries, [row.queries for row in fixed]
    else:
        wanted, amounts = measured[other].cost, [row.cost for row in fixed]
    ratios = [row.keep_ratio for row in fixed]
    order = np.argsort(amounts)
    return round(float(np.interp(wanted, np.array(amounts)[order], np.array(ratios)[order])), _DIGITS)
