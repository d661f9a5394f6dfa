from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from recorded_cuda import recorded_cuda
from small_models import small_sam2
from torch import nn

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.streaming import loading
from fastsam2_ros.streaming.backends.choice import find_parts
from fastsam2_ros.streaming.backends.cuda_graphs import WARM_UP, GraphedPart, graphed_parts
from fastsam2_ros.streaming.model import StreamingSam2
from fastsam2_ros.streaming.prompts import Prompt
from fastsam2_ros.torch_settings import neutral_torch

GRAPHS = ModelConfig(backend="cuda_graphs")


class Counting(nn.Module):
    """Squares, and counts how often it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return values.square()


def test_it_is_recorded_once_and_then_replayed() -> None:
    module = Counting()
    with recorded_cuda() as graphs:
        part = GraphedPart(module, torch.float32)
        results = [part.run(torch.tensor([value]))[0].item() for value in (2.0, 3.0, 4.0)]
    assert results == [4.0, 9.0, 16.0]
    assert module.runs == WARM_UP + 1
    assert [graph.replayed for graph in graphs] == [3]


def test_outputs_are_the_calls_own() -> None:
    with recorded_cuda():
        part = GraphedPart(Counting(), torch.float32)
        (first,) = part.run(torch.tensor([2.0]))
        part.run(torch.tensor([3.0]))
    assert first.item() == 4.0


def test_threads_do_not_get_one_anothers_outputs() -> None:
    with recorded_cuda(), ThreadPoolExecutor(8) as threads:
        part = GraphedPart(Counting(), torch.float32)
        results = threads.map(lambda value: part.run(torch.tensor([float(value)]))[0].item(), range(200))
        assert list(results) == [float(value * value) for value in range(200)]


@pytest.mark.parametrize(("precision", "rounding"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-6)], ids=str)
def test_tracking_with_recorded_parts_is_torchs(device: torch.device, precision: torch.dtype, rounding: float) -> None:
    """And no part reads a value back. Where there is a GPU, by its own graphs too."""
    model = small_sam2().to(device)

    def track(sam: StreamingSam2) -> list[torch.Tensor]:
        frames = [np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8) for seed in range(4)]
        features, memory, found = sam.encode(frames[0]), sam.new_memory(), []
        sam.remember_prompt(features, sam.decode_prompt(features, Prompt.from_box((10, 20, 50, 50))), memory, 0)
        for index, frame in enumerate(frames[1:], 1):
            features = sam.encode(frame)
            decoded = sam.decode(features, sam.condition(features, [memory], index, [None]))
            sam.remember(features, decoded, [memory], index)
            found += [decoded.low_res, decoded.high_res, decoded.score]
        return found

    with neutral_torch(), recorded_cuda() if device.type == "cpu" else nullcontext() as graphs:
        ours = track(StreamingSam2(model, precision, parts=graphed_parts(model, precision)))
        theirs = track(StreamingSam2(model, precision))
    assert graphs is None or [graph.replayed for graph in graphs] == [4, 3, 3]
    assert all((a - b).abs().mean() <= rounding * b.abs().max() for a, b in zip(ours, theirs, strict=True))


def test_where_there_is_no_gpu_they_are_refused() -> None:
    with pytest.raises(ModelError, match="cuda_graphs is for CUDA GPUs, and the model is on cpu; set it to auto"):
        find_parts(GRAPHS, small_sam2(), torch.float32, {})


def test_for_a_model_on_a_gpu_there_are_some(cuda: torch.device) -> None:
    model = loading.build(loading.find_config("mini"), {"image_size": 256}).to(cuda)
    assert find_parts(GRAPHS, model, torch.bfloat16, {}) is not None
