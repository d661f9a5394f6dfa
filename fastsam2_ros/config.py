"""Everything that can be set, with units and ranges. The node declares a parameter for each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from fastsam2_ros.errors import InputError

MINI = "mini"
"""The models that come with this package, of SAM 2 and of open_clip."""
UNTRAINED = "untrained"
"""In place of a checkpoint or of weights: random ones."""
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list of texts"}
"""What a setting of a type must be, for people."""
MAX_MEGAPIXELS = 64.0
"""Default of `TrackerConfig.max_megapixels`."""
MODELS = (MINI, "tiny", "small", "base_plus", "large")
"""Names of SAM 2 models: our small one, and the released SAM 2.1 checkpoints."""
_RELEASED = "ViT-B-16"
#: By open_clip model: weights, image size (0: by the device), least margin (measured for mini, first values for the others).
_LANGUAGE_OF = {MINI: (MINI, 512, -0.06), _RELEASED: ("datacomp_xl_s13b_b90k", 0, 0.02)}
_LANGUAGE_OF_OTHERS = ("", 0, 0.02)


def option(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = True,
) -> Any:
    """A dataclass field that knows its own description and range (read by `check` and the node).

    `live`: it can be changed while tracking; else it is read when the models are loaded.
    """
    metadata = {"description": description, "minimum": minimum, "maximum": maximum, "choices": choices, "live": live}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ModelConfig:
    """Which SAM 2, its weights, and where it runs."""

    name: str = option(
        MINI, "SAM 2 model: " + ", ".join(MODELS) + ", or the path of a sam2 YAML configuration.", live=False
    )
    checkpoint: str = option(
        "",
        "Path of a .pt or .safetensors file. Empty: those that come with mini; the released weights of the others, from the "
        "Hugging Face cache or hub. "
        "'untrained': random weights, for trying out the plumbing.",
        live=False,
    )
    revision: str = option("", "Git revision of the released weights on the hub. Empty: the newest.", live=False)
    sha256: str = option("", "SHA-256 that the checkpoint file must have, hexadecimal. Empty: not checked.", live=False)
    device: str = option("auto", "torch device: auto (CUDA where there is one), cpu, cuda, cuda:1 ...", live=False)
    precision: str = option(
        "auto",
        "auto: bf16 on CUDA devices that have it, else fp32; on x86 CPUs that have bf16, openvino's image encoder alone "
        "computes in it. fp16 is for CUDA devices that lack bf16.",
        choices=("auto", "fp32", "bf16", "fp16"),
        live=False,
    )
    image_size: int = option(
        0,
        "Side of the square that frames are scaled to, pixels: a multiple of 32 from 256 to 1024. Time and memory go with its "
        "square; small targets need a large one. 0: the model's own, 512 for mini and 1024 for the released ones.",
        minimum=0,
        maximum=1024,
        live=False,
    )
    small_image_size: int = option(
        0,
        "Side of a second, smaller square, pixels: a multiple of 32 from 256 on. Frames are scaled to it while fewer tokens do "
        "not hold pruning.target_rate, without which it does nothing; what is tracked goes on. 0: none.",
        minimum=0,
        maximum=1024,
        live=False,
    )
    backend: str = option(
        "auto",
        "What computes the image encoder and, while tracking, the mask decoder and the memory encoder: torch, onnxruntime or "
        "openvino (extras of the package), whose exports are kept in ~/.cache/fastsam2_ros; cuda_graphs: torch, on a GPU, with "
        "fewer launches. auto: openvino on CPUs where it is installed, else torch.",
        choices=("auto", "torch", "onnxruntime", "openvino", "cuda_graphs"),
        live=False,
    )
    max_prompt_frames: int = option(
        2,
        "Prompt frames kept in a target's memory: the first for good, and the newest finds of a lost target.",
        minimum=2,
        maximum=16,
        live=False,
    )
    memory_frames: int = option(
        0,
        "Memory frames attended to, one prompt frame included: from 2 to the model's own number, which is 7 for the "
        "released ones; fewer cost less. 0: the model's own.",
        minimum=0,
        maximum=64,
        live=False,
    )
    seed: int = option(
        0, "Seed of the weights where checkpoint is 'untrained'.", minimum=0, maximum=2**63 - 1, live=False
    )


@dataclass(frozen=True)
class PruningConfig:
    """How many tokens are kept, and which."""

    keep_ratio: float = option(
        0.0,
        "Fixed keep ratio, (0, 1]: the share of a frame's tokens that go through memory attention, as in arXiv 2512.21333. "
        "0: set for every frame and target by the budget, from how much moves.",
        minimum=0.0,
        maximum=1.0,
    )
    memory_ratio: float = option(
        0.0,
        "Share of the memory's tokens that are kept, (0, 1]. 0: what goes with the keep ratio: its cube root, or 16/9 of it "
        "where it is .15 or less.",
        minimum=0.0,
        maximum=1.0,
    )
    min_keep_ratio: float = option(
        0.15, "The budget's floor: the keep ratio for a small target in a still scene.", minimum=0.01, maximum=1.0
    )
    max_keep_ratio: float = option(
        0.253,
        "The budget's ceiling: the keep ratio when much moves. A large target may get more: what covers it.",
        minimum=0.01,
        maximum=1.0,
    )
    full_motion: float = option(
        0.25,
        "Motion at which the budget is at its ceiling, in frame diagonals per second.",
        minimum=0.001,
        maximum=100.0,
    )
    fall_seconds: float = option(
        1.0, "Time in which the budget falls from ceiling to floor, seconds.", minimum=0.0, maximum=60.0
    )
    memory_interval: int = option(
        2,
        "While the budget sets the keep ratio: of a target that is sure only every so manieth frame is remembered. Memory then "
        "reaches further back, and costs less. 1: every frame.",
        minimum=1,
        maximum=16,
    )
    target_rate: float = option(
        0.0,
        "Frames per second to hold, of all cameras together: keep ratios sink, to the floor at most, until 95 % of the steps "
        "are in time, then frames are scaled to model.small_image_size, where there is one; where that is not enough, ~/status "
        "says so. 0: no deadline.",
        minimum=0.0,
        maximum=1000.0,
    )
    mask_weight: float = option(1.0, "Weight of the last mask, moved and dilated, in a token's score.", minimum=0.0)
    context_weight: float = option(0.0, "Weight of local visual context in a token's score.", minimum=0.0)
    appearance_weight: float = option(
        0.1, "Weight of likeness to the target's remembered look in a token's score.", minimum=0.0
    )
    text_weight: float = option(0.0, "Weight of relevance to the text in a token's score.", minimum=0.0)
    uncertainty_weight: float = option(0.0, "Weight of uncertainty in a token's score.", minimum=0.0)


@dataclass(frozen=True)
class LanguageConfig:
    """Which open_clip model, and when the answer is 'not found'. What is empty or 0 is filled in by `suited`."""

    name: str = option(
        "",
        "open_clip model with ViT image features, 'mini', the path of an open_clip model JSON, or 'none': boxes and masks "
        "only. Empty: mini for the SAM 2 model mini, ViT-B-16 for the others.",
        live=False,
    )
    weights: str = option(
        "",
        "open_clip pretrained tag, hf-hub name, or path of a checkpoint file. 'untrained': random weights. Empty: those "
        "that come with mini, or datacomp_xl_s13b_b90k for ViT-B-16.",
        live=False,
    )
    image_size: int = option(
        0,
        "Longer side of the image for dense relevance, pixels; it is looked at in overlapping tiles of the model's own size. "
        "0: 512 for mini, as a whole; else 672 on a GPU, and 336 on a CPU, which takes a fifth to a ninth of the time.",
        minimum=0,
        maximum=2048,
        live=False,
    )
    min_margin: float = option(
        0.0,
        "Least lead of the description over the best negative, in cosine similarity; below it: not found. "
        "0: what suits the model; -2: whatever fits best is taken, of any quality.",
        minimum=-2.0,
        maximum=2.0,
    )
    vocabulary: str = option(
        "",
        "Path of a text file with names, one a line, that a box's automatic description is chosen from; with mini, what fits "
        "one of them clearly better than its description is not found. Empty: those that come with the package.",
        live=False,
    )
    max_candidates: int = option(8, "Peaks of relevance that are tried as prompts.", minimum=1, maximum=64)
    seed: int = option(0, "Seed of the weights where weights is 'untrained'.", minimum=0, maximum=2**63 - 1, live=False)

    def suited(self, model: str = "") -> LanguageConfig:
        """With what is left open filled in.

        Args:
            model: `ModelConfig.name`, whose language model this is.
        """
        name = self.name or (MINI if model == MINI else _RELEASED)
        weights, image_size, min_margin = _LANGUAGE_OF.get(name, _LANGUAGE_OF_OTHERS)
        return replace(
            self,
            name=name,
            weights=self.weights or weights,
            image_size=self.image_size or image_size,
            min_margin=self.min_margin or min_margin,
        )


@dataclass(frozen=True)
class TrackerConfig:
    """Everything `TextTracker.from_config` needs."""

    model: ModelConfig = field(default_factory=ModelConfig)
    pruning: PruningConfig = field(default_factory=PruningConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    max_targets: int = option(8, "Targets tracked at once; further descriptions are refused.", minimum=1, maximum=256)
    uncertain_score: float = option(0.6, "Score below which a visible target is UNCERTAIN.", minimum=0.0, maximum=1.0)
    seen_score: float = option(
        0.25,
        "Score below which a target counts as out of sight: its mask is not given out, and the frame not remembered. "
        "Where its look is like the remembered one, .4 of it are enough. 0: doubtful masks and strays are given out too.",
        minimum=0.0,
        maximum=1.0,
    )
    lost_seconds: float = option(0.3, "Time unseen after which a target is LOST, seconds.", minimum=0.0, maximum=60.0)
    search_seconds: float = option(
        0.2,
        "Time after which a target that is not seen, or does not look like itself, is searched by its look; time LOST "
        "after which it is searched by its text, seconds.",
        minimum=0.0,
        maximum=600.0,
    )
    search_interval: float = option(0.5, "Time between two searches, seconds.", minimum=0.0, maximum=60.0)
    max_skip: int = option(
        0,
        "Most frames in a row for which no model runs, because nothing has moved since the last and every target is sure: "
        "they get its masks. 0: the models run for every frame. Frames of several cameras that are encoded together are not "
        "skipped.",
        minimum=0,
        maximum=1000,
    )
    # The upper end is what Pillow, which reads the size of a compressed image, lets through.
    max_megapixels: float = option(
        MAX_MEGAPIXELS,
        "Largest image that is decoded, compressed or not, megapixels. A small file can hold a picture that takes all memory.",
        minimum=0.0001,
        maximum=178.0,
        live=False,
    )


def check(config: Any, prefix: str = "") -> None:
    """Raise `InputError` where a value of a configuration dataclass is out of its range."""
    for item in fields(config):
        name, value, meta = prefix + item.name, getattr(config, item.name), item.metadata
        if is_dataclass(value):
            check(value, name + ".")
        elif meta.get("choices") and value not in meta["choices"]:
            raise InputError(f"{name} is {value!r}; it can be one of {', '.join(meta['choices'])}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = meta.get("minimum"), meta.get("maximum")
            # Written so that NaN fails too.
            if not ((low is None or value >= low) and (high is None or value <= high)):
                raise InputError(
                    f"{name} is {value}; it must lie between {low} and {high if high is not None else 'infinity'}."
                )
    if isinstance(config, PruningConfig) and config.min_keep_ratio > config.max_keep_ratio:
        raise InputError(
            f"{prefix}min_keep_ratio ({config.min_keep_ratio}) is above {prefix}max_keep_ratio ({config.max_keep_ratio})."
        )


def from_mapping(values: Mapping[str, Any]) -> TrackerConfig:
    """A `TrackerConfig` from dotted names, such as {"model.name": "tiny", "max_targets": 2}.

    Raises:
        InputError: a name that does not exist, or a value out of its range.
    """
    groups: dict[str, dict[str, Any]] = {"model": {}, "pruning": {}, "language": {}, "": {}}
    known = set(flat_options())
    for name, value in values.items():
        if name not in known:
            raise InputError(f"There is no setting {name!r}; there are: {', '.join(sorted(known))}.")
        group, _, leaf = name.rpartition(".")
        groups[group][leaf] = value
    config = TrackerConfig(
        model=ModelConfig(**groups["model"]),
        pruning=PruningConfig(**groups["pruning"]),
        language=LanguageConfig(**groups["language"]),
        **groups[""],
    )
    check(config)
    return config


def flat_options() -> dict[str, Any]:
    """Every setting by its dotted name: `dataclasses.Field` with default and metadata."""
    options: dict[str, Any] = {}
    parts = (("model.", ModelConfig), ("pruning.", PruningConfig), ("language.", LanguageConfig), ("", TrackerConfig))
    for prefix, part in parts:
        for item in fields(part):
            if item.metadata:
                options[prefix + item.name] = item
    return options


def flat_values(config: TrackerConfig) -> dict[str, Any]:
    """The value of every setting by its dotted name: what `from_mapping` would make this configuration of."""
    values = {}
    for name in flat_options():
        group, _, leaf = name.rpartition(".")
        values[name] = getattr(getattr(config, group) if group else config, leaf)
    return values


def fixed_differences(old: TrackerConfig, new: TrackerConfig) -> list[str]:
    """Names of the settings that differ and cannot be changed while tracking, since they are read when models are loaded."""
    before, after = flat_values(old), flat_values(new)
    return [name for name, item in flat_options().items() if not item.metadata["live"] and before[name] != after[name]]
