"""The policies that are compared: a list of names and settings, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastsam2_ros.config import TrackerConfig, flat_options, flat_values, from_mapping
from fastsam2_ros.errors import InputError

RATIOS = (0.6, 0.35, 0.3, 0.25, 0.16, 0.1)
NOMINAL = 0.16
"""Keep ratio at which cues, and queries against memory, are compared one by one: with more, any choice of tokens is good."""
CURVE = (0.35, NOMINAL, 0.1)
"""Where baselines and learned routers are compared."""
BUDGETS = ((0.15, 0.35, 0.25), (0.15, 0.16, 0.25))
"""Budgets beside the default one: floor, ceiling, and the motion of the ceiling, frame diagonals per second."""
MEMORY_RATIOS = (0.16, 0.3, 0.45, 0.7, 1.0)
"""Beside the one that goes with the nominal keep ratio."""
MEMORY_FRAMES = (4, 3)

DENSE, DEFAULT = "dense", "default"
KEEP, BUDGET, MEMORY = "keep ratio", "budget", "memory frames"
RANDOM, MASK_ALONE, LEARNED = "random tokens", "mask prior alone", "learned router"
WITHOUT, ALONE, ADDED = "cue taken away", "cue alone", "cue added"
ADDED_WEIGHT = 0.1
"""Of a cue that is off by default."""

_PREFIX, _SUFFIX = "pruning.", "_weight"
_SAME_ENCODER = ("model.memory_frames", "model.max_prompt_frames")


@dataclass(frozen=True)
class Match:
    """A fixed keep ratio that is found from results; one of these is given.

    Attributes:
        tokens_of: the policy whose mean number of query tokens it has.
        cost_of: the policy whose memory attention costs as many FLOPs.
    """

    tokens_of: str = ""
    cost_of: str = ""


@dataclass(frozen=True)
class Policy:
    """One way to prune.

    Attributes:
        name: unique.
        family: policies that differ in how much they keep alone; a colour, and a curve.
        group: what question it answers; a heading.
        settings: by dotted names, as `config.from_mapping` takes them; all others are as in the command.
        against: name of the policy that it is compared with, beside the dense one; empty: none.
        match: says how `pruning.keep_ratio` is found; None: it is in the settings.
        random_tokens: tokens are drawn at random.
    """

    name: str
    family: str
    group: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    against: str = ""
    match: Match | None = None
    random_tokens: bool = False

    def with_ratio(self, keep_ratio: float) -> Policy:
        """The same with a fixed keep ratio."""
        return replace(self, settings={**self.settings, "pruning.keep_ratio": keep_ratio}, match=None)


def all_policies(router: str = "", text: bool = False) -> list[Policy]:
    """Every policy.

    Args:
        router: `pruning.router` of a learned one; empty: none is there.
        text: there is a language model, so that the text cue says something.
    """
    return [
        Policy(DENSE, KEEP, "How much is kept", _keep(1.0)),
        *(Policy(kept(ratio), KEEP, "How much is kept", _keep(ratio)) for ratio in RATIOS),
        *_budgets(),
        *_memories(),
        *_baselines(),
        *_cues(text),
        *_routers(router),
        *_memory_ratios(),
    ]


def kept(ratio: float) -> str:
    """Name of the policy with this fixed keep ratio and all else as by default."""
    return f"keep {ratio:g}"


def cues() -> tuple[str, ...]:
    """Names of the cues: each has a weight among the settings."""
    names = (name for name in flat_options() if name.startswith(_PREFIX) and name.endswith(_SUFFIX))
    return tuple(name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in names)


def select(policies: Sequence[Policy], wanted: Sequence[str]) -> list[Policy]:
    """The policies whose name or family is wanted, and the dense one, which all are compared with.

    One that is matched to another comes with its family only where the other is wanted too.

    Raises:
        InputError: a name that is neither.
    """
    known = {policy.name for policy in policies} | {policy.family for policy in policies}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(
            f"There is no policy or family {unknown[0]!r}; there are the families "
            f"{', '.join(dict.fromkeys(policy.family for policy in policies))}."
        )
    chosen = {policy.name for policy in policies if policy.name == DENSE or {policy.name, policy.family} & set(wanted)}
    return [policy for policy in policies if policy.name in chosen and _target(policy) in (*chosen, "")]


@dataclass(frozen=True)
class Variant:
    """A tracker to be measured.

    Attributes:
        config: its settings.
        random_tokens: in place of those that its router chooses.
    """

    config: TrackerConfig
    random_tokens: bool = False


def configure(policy: Policy, base: Mapping[str, Any]) -> Variant:
    """The policy's settings over those of the command.

    Raises:
        InputError: a setting that does not exist or cannot have this value, or one that would change the image encoder,
            whose result all policies share.
    """
    encoder = [name for name in policy.settings if name.startswith("model.") and name not in _SAME_ENCODER]
    if encoder:
        raise InputError(
            f"The policy {policy.name!r} sets {encoder[0]}; all policies share the image encoder's result."
        )
    unknown = [name for name in policy.settings if name not in flat_options()]
    if unknown:
        raise InputError(
            f"The policy {policy.name!r} needs the setting {unknown[0]}, which does not exist in this version; "
            "choose others with --only."
        )
    try:
        return Variant(from_mapping({**base, **policy.settings}), policy.random_tokens)
    except InputError as error:
        raise InputError(f"The policy {policy.name!r} cannot be: {error}") from error


def _target(policy: Policy) -> str:
    """The policy that this one is matched to; empty: none."""
    return "" if policy.match is None else policy.match.tokens_of or policy.match.cost_of


def _keep(ratio: float) -> dict[str, Any]:
    return {"pruning.keep_ratio": ratio}


def _budgets() -> Iterator[Policy]:
    """The settings' own budget, a fixed ratio of the same mean tokens, and other budgets."""
    group = "Budget by motion against a fixed ratio of the same mean tokens"
    fixed = f"fixed as {DEFAULT}"
    yield Policy(DEFAULT, BUDGET, group, _keep(0.0), against=fixed)
    yield Policy(fixed, KEEP, group, match=Match(tokens_of=DEFAULT))
    for low, high, full in BUDGETS:
        bounds = {"min_keep_ratio": low, "max_keep_ratio": high, "full_motion": full}
        settings = {**_keep(0.0), **{f"{_PREFIX}{name}": value for name, value in bounds.items()}}
        yield Policy(f"budget {low:g} to {high:g} at {full:g}", BUDGET, group, settings, against=DEFAULT)


def _memories() -> Iterator[Policy]:
    group = "Fewer memory frames against pruning at the same cost"
    for count in MEMORY_FRAMES:
        name, pruned = f"{count} memory frames", f"pruned as {count} frames"
        yield Policy(name, MEMORY, group, {**_keep(1.0), "model.memory_frames": count}, against=pruned)
        yield Policy(pruned, KEEP, group, match=Match(cost_of=name))


def _baselines() -> Iterator[Policy]:
    alone = _weights(only="mask")
    for ratio in CURVE:
        yield Policy(f"random {ratio:g}", RANDOM, "Baselines", _keep(ratio), against=kept(ratio), random_tokens=True)
    for ratio in CURVE:
        yield Policy(f"mask alone {ratio:g}", MASK_ALONE, "Baselines", {**_keep(ratio), **alone}, against=kept(ratio))


def _cues(text: bool) -> Iterator[Policy]:
    names = [name for name in cues() if text or name != "text"]
    usual = flat_values(TrackerConfig())
    for name in names:
        weight, whole = f"{_PREFIX}{name}{_SUFFIX}", kept(NOMINAL)
        if not usual[weight]:  # what is off by default is to earn its place against that
            whole = f"with {name}"
            yield Policy(whole, ADDED, "Cues", {**_keep(NOMINAL), weight: ADDED_WEIGHT}, against=kept(NOMINAL))
        yield Policy(f"without {name}", WITHOUT, "Cues", {**_keep(NOMINAL), weight: 0.0}, against=whole)
    for name in names:
        settings = {**_keep(NOMINAL), **_weights(only=name)}
        yield Policy(f"{name} alone", ALONE, "Cues", settings, against=kept(NOMINAL))


def _weights(only: str) -> dict[str, float]:
    return {f"{_PREFIX}{name}{_SUFFIX}": float(name == only) for name in cues()}


def _routers(router: str) -> Iterator[Policy]:
    group = "Learned router against the weighted sum"
    for ratio in CURVE if router else ():
        settings = {**_keep(ratio), "pruning.router": router}
        yield Policy(f"learned {ratio:g}", LEARNED, group, settings, against=kept(ratio))


def _memory_ratios() -> Iterator[Policy]:
    for ratio in MEMORY_RATIOS:
        settings = {**_keep(NOMINAL), "pruning.memory_ratio": ratio}
        name, against = f"memory {ratio:g}", kept(NOMINAL)
        yield Policy(name, "queries against memory", "Queries against memory", settings, against=against)
