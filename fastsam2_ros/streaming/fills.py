"""What the decoder gets for a token that was not conditioned on memory: the mask decoder stays dense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sam2.modeling.memory_attention import MemoryAttention
from torch import Tensor

from fastsam2_ros.streaming.attention import feed_forward
from fastsam2_ros.streaming.warp import moved


@dataclass(frozen=True)
class Partial:
    """One target's frame, of which only some tokens were conditioned. N tokens on the grid.

    Attributes:
        output: (kept, C), the conditioned ones.
        kept: int64, (kept,), their places, rising.
        tokens, positions: (N, C), image features and their sine encoding.
        raw: (N, C), image features as the decoder gets them without any memory (plus upstream's `no_mem_embed`).
        before: (N, C), what the decoder got in the last frame.
        grid: (height, width) of the tokens.
        camera: (2, 3), `Motion.camera` since the last frame.
        attention: whose feed-forward layers to use.
    """

    output: Tensor
    kept: Tensor
    tokens: Tensor
    positions: Tensor
    raw: Tensor
    before: Tensor
    grid: tuple[int, int]
    camera: npt.NDArray[np.float64]
    attention: MemoryAttention


def fill(name: str, partial: Partial) -> Tensor:
    """The whole grid, (N, C): the conditioned tokens where there are any, elsewhere what the policy `name` says."""
    return FILLS[name](partial).to(partial.output.dtype).index_copy(0, partial.kept, partial.output)


def _previous(partial: Partial) -> Tensor:
    return partial.before


def _moved(partial: Partial) -> Tensor:
    """Where the camera shows something new, the nearest that was known."""
    before = partial.before.float().T.unflatten(1, partial.grid)[None]
    return moved(before, partial.camera, outside="border")[0].flatten(1).T


def _raw(partial: Partial) -> Tensor:
    return partial.raw


def _feedforward(partial: Partial) -> Tensor:
    left_out = torch.ones(len(partial.tokens), dtype=torch.bool, device=partial.kept.device)
    left_out[partial.kept] = False
    passed = feed_forward(partial.attention, partial.tokens[left_out], partial.positions[left_out])
    return partial.raw.to(passed.dtype).index_copy(0, left_out.nonzero()[:, 0], passed)


def _nearest(partial: Partial) -> Tensor:
    width = partial.grid[1]
    index = torch.arange(len(partial.tokens), device=partial.kept.device)
    places = torch.stack([index // width, index % width], dim=1).float()
    # Without matrix products, which round: places as far from two kept ones take the first, everywhere.
    distances = torch.cdist(places, places[partial.kept], compute_mode="donot_use_mm_for_euclid_dist")
    return partial.output[distances.argmin(dim=1)]


PREVIOUS, MOVED, RAW, FEEDFORWARD, NEAREST = "previous", "moved", "raw", "feedforward", "nearest"
FILLS: Mapping[str, Callable[[Partial], Tensor]] = {
    PREVIOUS: _previous,
    MOVED: _moved,
    RAW: _raw,
    FEEDFORWARD: _feedforward,
    NEAREST: _nearest,
}
"""Each gives (N, C), of which only the places that are not kept matter."""
LOOK_BACK = (PREVIOUS, MOVED)
"""Those that need what the decoder got in the last frame."""
