"""Upstream's `SAM2VideoPredictor` step on one frame after the other, timed by stage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from fastsam2_ros.config import ModelConfig
from fastsam2_ros.lab.evaluation.upstream import load_predictor
from fastsam2_ros.results import Box
from fastsam2_ros.stopwatch import Stopwatch
from fastsam2_ros.streaming.loading import find_precision
from fastsam2_ros.streaming.picture import IMAGE_MEAN, IMAGE_STD

_STAGES = {
    "forward_image": "encode",
    "_prepare_memory_conditioned_features": "attend",
    "_forward_sam_heads": "decode",
    "_encode_new_memory": "remember",
}
_NO_LIMIT = 1 << 30
"""Stands for the length of an endless video."""


class UpstreamStep:
    """What `propagate_in_video` does for each frame, with frames that come one by one.

    Old frames are dropped from upstream's state, which would otherwise grow; that changes no result and no time.

    Attributes:
        state: upstream's inference state.
    """

    def __init__(
        self,
        model: ModelConfig,
        precision: str,
        boxes: Sequence[Box],
        size: tuple[int, int],
        vos_optimized: bool,
        clock: Callable[[], float],
    ) -> None:
        self._predictor = load_predictor(model, vos_optimized)
        self._device = self._predictor.device
        self._bf16 = find_precision(precision, self._device) == torch.bfloat16
        self._clock = clock
        self._watch = Stopwatch(self._device, clock)
        for method, stage in _STAGES.items():
            setattr(self._predictor, method, self._timed(getattr(self._predictor, method), stage))
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(np.zeros((*size, 3), np.uint8)).save(Path(folder) / "00000.jpg")
            self.state = self._predictor.init_state(folder)
        self.state["num_frames"] = _NO_LIMIT
        self._boxes = boxes
        self._size = size
        self._index = 0

    @torch.inference_mode()
    def step(self, frame: np.ndarray) -> dict[str, float]:
        """Track one frame, uint8 (H, W, 3), RGB; the first one gets the prompts.

        Returns:
            seconds by stage, with our names.
        """
        self._watch = Stopwatch(self._device, self._clock)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            with self._watch.stage("encode"):
                self.state["images"] = {self._index: self._normalised(frame)}
            if self._index == 0:
                for target, (x, y, width, height) in enumerate(self._boxes):
                    self._predictor.add_new_points_or_box(
                        self.state, 0, target, box=np.array([x, y, x + width, y + height], np.float32)
                    )
                self._predictor.propagate_in_video_preflight(self.state)
            else:
                self._propagate()
        self._index += 1
        return self._watch.seconds()

    def _propagate(self) -> None:
        masks = []
        for target in range(len(self._boxes)):
            outputs = self.state["output_dict_per_obj"][target]
            current, mask = self._predictor._run_single_frame_inference(
                inference_state=self.state,
                output_dict=outputs,
                frame_idx=self._index,
                batch_size=1,
                is_init_cond_frame=False,
                point_inputs=None,
                mask_inputs=None,
                reverse=False,
                run_mem_encoder=True,
            )
            outputs["non_cond_frame_outputs"][self._index] = current
            outputs["non_cond_frame_outputs"].pop(self._index - 32, None)
            masks.append(mask)
        with self._watch.stage("resize"):
            logits = F.interpolate(torch.cat(masks), size=self._size, mode="bilinear", align_corners=False)
            (logits > 0).cpu()

    def _normalised(self, frame: np.ndarray) -> torch.Tensor:
        """float32 (3, S, S), as `sam2.utils.misc.load_video_frames` makes it."""
        side = self._predictor.image_size
        pixels = np.array(Image.fromarray(frame).resize((side, side)))
        image = torch.from_numpy(pixels).permute(2, 0, 1).to(self._device).float() / 255.0
        return (image - image.new_tensor(IMAGE_MEAN)[:, None, None]) / image.new_tensor(IMAGE_STD)[:, None, None]

    def _timed(self, method: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            with self._watch.stage(stage):
                return method(*arguments, **named)

        return call
