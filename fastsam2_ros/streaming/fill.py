"""What the decoder gets for a token that was not conditioned on memory: the mask decoder stays dense."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fastsam2_ros.streaming.warp import moved


def fill(
    output: Tensor, kept: Tensor, before: Tensor, grid: tuple[int, int], camera: npt.NDArray[np.float64]
) -> Tensor:
    """The whole grid: the conditioned tokens, and elsewhere what was there in the last frame, moved with the camera.

    Where the camera shows something new, the nearest that was known is taken. (Image features, which never met the memory,
    lose .26 of J&F in that place: docs/results/2026-11-23-pruning-defaults.md.)

    Args:
        output: (kept, C), conditioned tokens of one target.
        kept: int64, (kept,), their places in the row-major grid.
        before: (N, C), what the decoder got in the last frame.
        grid: (height, width), whose product is N.
        camera: (2, 3), `Motion.camera` since the last frame.

    Returns:
        (N, C), dtype of `output`.
    """
    last = before.float().T.unflatten(1, grid)[None]
    whole = moved(last, camera, outside="border")[0].flatten(1).T
    return whole.to(output.dtype).index_copy(0, kept, output)
