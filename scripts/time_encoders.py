#!/usr/bin/env python3
"""Times the image encoder by every backend that is installed, alternately, and how far each is from torch.

scripts/run python scripts/time_encoders.py mini tiny
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from fastsam2_ros.config import MINI, MODELS, UNTRAINED, ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming.loading import load_sam2
from fastsam2_ros.streaming.model import StreamingSam2

BACKENDS = ("torch", "onnxruntime", "openvino")
SIZE = (720, 1280)
"""Height and width of the frame."""


def main() -> None:
    """One line for each model and backend."""
    parser = argparse.ArgumentParser(description="Times the image encoder by backend; weights but mini's are random.")
    parser.add_argument("models", nargs="+", choices=MODELS)
    parser.add_argument("--frames", type=int, default=9, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="(default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, median of {arguments.frames} frames; CPU time is that of all threads")
    print(f"{'model':10} {'backend':12} {'ms':>8} {'CPU ms':>8} {'of torch':>8} {'from torch':>10}")
    for model in arguments.models:
        measure(model, arguments.frames)


def measure(model: str, frames: int) -> None:
    """Print what one model takes."""
    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    encoders = {backend: sam for backend in BACKENDS if (sam := load(model, backend)) is not None}
    tokens = {backend: sam.encode(frame).tokens for backend, sam in encoders.items()}
    wall: dict[str, list[float]] = {backend: [] for backend in encoders}
    cpu: dict[str, list[float]] = {backend: [] for backend in encoders}
    for _ in range(frames):
        for backend, sam in encoders.items():
            before, busy = time.perf_counter(), time.process_time()
            sam.encode(frame)
            wall[backend].append(time.perf_counter() - before)
            cpu[backend].append(time.process_time() - busy)
    for backend in encoders:
        far = float((tokens[backend] - tokens["torch"]).abs().max() / tokens["torch"].abs().max())
        ms, busy_ms, whole = (statistics.median(each) * 1e3 for each in (wall[backend], cpu[backend], cpu["torch"]))
        print(f"{model:10} {backend:12} {ms:8.1f} {busy_ms:8.1f} {busy_ms / whole:8.2f} {far:10.1e}", flush=True)


def load(model: str, backend: str) -> StreamingSam2 | None:
    """A model with this backend; None where that is not installed."""
    checkpoint = "" if model == MINI else UNTRAINED
    try:
        return load_sam2(ModelConfig(model, checkpoint, device="cpu", precision="fp32", backend=backend)).streaming
    except ModelError as error:
        print(error)
        return None


if __name__ == "__main__":
    main()
