"""Which files of weights results are made with."""

from __future__ import annotations

from pathlib import Path

from fastsam2_ros.config import UNTRAINED, ModelConfig, TrackerConfig
from fastsam2_ros.streaming.checkpoints import find_checkpoint


def weight_files(config: TrackerConfig) -> list[Path]:
    """The weights of SAM 2, and those of the language model that are named as a file.

    Raises:
        ModelError: SAM 2's cannot be had.
    """
    return [file for file in (*model_files(config.model), Path(config.language.weights)) if file.is_file()]


def model_files(config: ModelConfig) -> list[Path]:
    """The weights of SAM 2; none where they are random. Raises `ModelError` where they cannot be had."""
    return [] if config.checkpoint == UNTRAINED else [find_checkpoint(config)]


def stamp(file: Path) -> tuple[str, int, int]:
    """Path, size and time of change: another file under the same name is seen by it."""
    status = file.stat()
    return str(file), status.st_size, status.st_mtime_ns
