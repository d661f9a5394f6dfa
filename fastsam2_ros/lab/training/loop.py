"""The loop that both trainings share: schedule, averaged weights, checkpoints, progress, curves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fastsam2_ros.errors import InputError, ModelError
from fastsam2_ros.lab.training import curves

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
CURVES = "curves.png"
LONGEST_STEP = 60.0
"""Seconds of one batch, with the validation after the one before it, that count as training."""
SAVED_EVERY = 180.0
"""Seconds of training from one checkpoint to the next, at most."""
_FLOOR = 0.01
"""Of the learning rate, as a share of the highest."""


@dataclass(frozen=True)
class Phase:
    """A part of a training, until this share of the whole is done."""

    until: float
    name: str
    batches: Callable[[int, int], Iterator[Any]]
    """From the number of the first batch and the number of worker processes to batches without end."""


class Task(Protocol):
    """What is trained, and on what.

    Attributes:
        rates: shares of the learning rate for parameters whose names begin so; all others have it whole.
    """

    model: nn.Module
    name: str
    phases: tuple[Phase, ...]
    rates: Mapping[str, float]

    def loss(self, batch: Any, number: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """The loss of batch `number`, and its parts for the log. Random draws depend on the number alone."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures of merit of the averaged weights on what is never trained on; larger is better."""


@dataclass(frozen=True)
class Settings:
    """How to train. Either `minutes` or `steps` ends it; the learning rate falls to nothing by then.

    Attributes:
        out: folder for checkpoint, log, curves and weights; a checkpoint found there is taken up again.
        device: torch device.
        workers: processes that make batches; 0: none but this.
        minutes: time of training, validation included.
        steps: batches, in place of `minutes`: then a run repeats exactly.
        learning_rate: the highest, of AdamW.
        warmup: batches until it is reached.
        averaging: of the weights: share that one batch leaves as it was, at most.
        validations: how many times in all.
        begun: share of the course that counts as done before the first batch, [0, 1): of a training that goes on from
            weights. A checkpoint keeps its own.
        stop_after: leave off here, with a checkpoint, as an interrupt would; batches.

    Raises:
        InputError: neither minutes nor steps are given, or both.
    """

    out: Path
    device: torch.device
    workers: int = 0
    minutes: float = 0.0
    steps: int = 0
    learning_rate: float = 6e-4
    warmup: int = 100
    weight_decay: float = 0.05
    averaging: float = 0.998
    clip_norm: float = 1.0
    validations: int = 10
    begun: float = 0.0
    stop_after: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes > 0) == (self.steps > 0):
            raise InputError("Training needs an end: give either minutes or steps, above 0.")


@dataclass
class State:
    """Where a training stands."""

    step: int = 0
    seconds: float = 0.0
    begun: float = 0.0
    validated: int = 0
    saved: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """Trains a task's model.

    Raises:
        InputError: the checkpoint in `out` is of another model.
    """

    def __init__(self, task: Task, settings: Settings) -> None:
        self.task, self.settings, self.state = task, settings, State(begun=settings.begun)
        self.model = task.model.to(settings.device).train()
        self.average = deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            _groups(self.model, settings.weight_decay, task.rates), lr=settings.learning_rate, betas=(0.9, 0.95)
        )
        settings.out.mkdir(parents=True, exist_ok=True)
        if (settings.out / CHECKPOINT).exists():
            self._resume()
        # By the course as it is now: it may be longer than when a checkpoint was written.
        self.state.validated = int(self.progress * settings.validations)
        # What a run has logged after its last checkpoint is done again.
        rows = "".join(json.dumps(row) + "\n" for row in self.state.log)
        (settings.out / LOG).write_text(rows, encoding="utf-8")

    @property
    def progress(self) -> float:
        """Share of the course that is done, [0, 1]."""
        settings, state = self.settings, self.state
        share = state.step / settings.steps if settings.steps else state.seconds / (60 * settings.minutes)
        return min(1.0, state.begun + (1 - state.begun) * share)

    def run(self) -> dict[str, float]:
        """Train to the end, or to an interrupt, which leaves a checkpoint too.

        Returns:
            the last validation's figures.
        """
        console = Console()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
        try:
            with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
                shown = bar.add_task(self.task.name, total=1.0)
                for phase in self.task.phases:
                    self._train_phase(
                        phase, lambda text: bar.update(shown, completed=self.progress, description=text), bar
                    )
        finally:
            self.save()
        return {k: v for k, v in self.state.log[-1].items() if k.startswith("val ")} if self.state.log else {}

    def save(self) -> None:
        """Write everything that going on takes, the averaged weights as fp16 safetensors, and the curves."""
        out, state = self.settings.out, self.state
        state.saved = state.seconds
        content = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": state.step,
            "seconds": state.seconds,
            "begun": state.begun,
        }
        # Written aside first: an interrupt in the middle must not cost the last good one.
        torch.save(content, out / (CHECKPOINT + ".new"))
        (out / (CHECKPOINT + ".new")).replace(out / CHECKPOINT)
        weights = {name: _half(tensor) for name, tensor in self.average.state_dict().items()}
        save_file(weights, out / f"{self.task.name}.safetensors")
        curves.draw(state.log, out / CURVES)

    # ---- pieces ----

    def _train_phase(self, phase: Phase, show: Callable[[str], None], bar: Progress) -> None:
        settings, state = self.settings, self.state
        if self._ended(phase):
            return
        before = time.monotonic()
        for batch in phase.batches(state.step, settings.workers):
            terms = self._step(batch)
            state.step += 1
            now = time.monotonic()
            # Whoever halts the process for a while does not take that time from the training.
            state.seconds += min(now - before, LONGEST_STEP)
            before = now
            row = {"step": state.step, "seconds": round(state.seconds, 1), "phase": phase.name, **terms}
            show(f"{phase.name} · step {state.step} · " + _text(terms))
            if self.progress >= (state.validated + 1) / settings.validations:
                state.validated = int(self.progress * settings.validations)
                row |= {f"val {name}": value for name, value in self.task.validate(self.average).items()}
                bar.console.print(f"{self.progress:4.0%} {phase.name} step {state.step}: {_text(row)}")
            self._record(row)
            if any(name.startswith("val ") for name in row) or state.seconds - state.saved >= SAVED_EVERY:
                self.save()
            if self._ended(phase):
                return

    def _ended(self, phase: Phase) -> bool:
        stop = self.settings.stop_after
        return self.progress >= phase.until or (stop is not None and self.state.step >= stop)

    def _step(self, batch: Any) -> dict[str, float]:
        settings, number = self.settings, self.state.step
        rate = settings.learning_rate * min(1.0, (number + 1) / settings.warmup)
        rate *= _FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * self.progress)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        # Dropout too is to depend on nothing but the batch's number.
        torch.manual_seed(number)
        loss, terms = self.task.loss(batch, number, self.progress)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm))
        if math.isfinite(norm):
            self.optimizer.step()
        share = min(settings.averaging, (1 + number) / (10 + number))
        live = self.model.state_dict()
        for name, mine in self.average.state_dict().items():
            mine.lerp_(live[name], 1 - share) if mine.is_floating_point() else mine.copy_(live[name])
        return {**terms, "gradient": norm}

    def _record(self, row: dict[str, Any]) -> None:
        self.state.log.append(row)
        with (self.settings.out / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _resume(self) -> None:
        path = self.settings.out / CHECKPOINT
        content = torch.load(path, map_location=self.settings.device, weights_only=True)
        try:
            self.model.load_state_dict(content["model"])
            self.average.load_state_dict(content["average"])
            shares = [group["share"] for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(content["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{path} is the checkpoint of another training than '{self.task.name}' here; give another folder as --out. "
                "One that went on from --weights is resumed with --weights."
            ) from error
        for group, share in zip(self.optimizer.param_groups, shares, strict=True):
            group["share"] = share
        log = self.settings.out / LOG
        rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
        self.state = State(
            content["step"],
            content["seconds"],
            content.get("begun", 0.0),
            log=[row for row in rows if row["step"] <= content["step"]],
        )


def start_from(task: Task, path: Path) -> None:
    """Put a file's weights into a task's model.

    Raises:
        ModelError: the file cannot be read, or is another model's.
    """
    try:
        task.model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{path} cannot be taken as the weights of '{task.name}' to start from: {error}") from error


def precision(device: torch.device) -> torch.dtype:
    """bf16 where the device computes in it, else fp32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def _groups(model: nn.Module, decay: float, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """Weight decay for matrices alone: biases, norms and embeddings stay free."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {(decay, 1.0): [], (0.0, 1.0): []}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        free = parameter.ndim < 2 or id(parameter) in embeddings or "embed" in name or "_enc" in name
        share = next((share for prefix, share in rates.items() if name.startswith(prefix)), 1.0)
        groups.setdefault((0.0 if free else decay, share), []).append(parameter)
    return [{"params": own, "weight_decay": decay, "share": share} for (decay, share), own in groups.items()]


def _half(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()


def _text(terms: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in terms.items() if isinstance(value, float))
