"""A frame as the image encoder takes it: resized to the model's square, and normalised."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


class Preparation:
    """What is done to every frame before it is encoded.

    Args:
        side: S, of the square that the image encoder takes, pixels.
        device: of the encoder.
        upstream: resize by Pillow, as upstream does. Else torch resizes, by the same filter in a sixth of the time; its pixels
            differ from Pillow's by two grey levels at most.
    """

    def __init__(self, side: int, device: torch.device, upstream: bool = False) -> None:
        self._side = side
        self._device = device
        self._upstream = upstream
        self._mean = torch.tensor(IMAGE_MEAN, device=device)[:, None, None]
        self._std = torch.tensor(IMAGE_STD, device=device)[:, None, None]
        levels = torch.arange(256, dtype=torch.float32, device=device).expand(3, 1, -1) / 255.0
        # What each grey level becomes: one look-up in place of three passes, and the very same numbers.
        self._table = np.ascontiguousarray(self._normalised(levels).permute(1, 2, 0).cpu().numpy())  # (1, 256, 3)

    def __call__(self, frame: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], Tensor]:
        """A frame as the encoder sees it.

        Args:
            frame: uint8 (H, W, 3), RGB.

        Returns:
            the picture, uint8 (S, S, 3), RGB; and the encoder's input, float32 (1, 3, S, S), normalised.
        """
        size = (self._side, self._side)
        if self._device.type == "cpu" or self._upstream:
            if self._upstream:
                picture = np.array(Image.fromarray(frame).resize(size))
            else:
                resized = F.interpolate(_planes(frame), size, mode="bicubic", antialias=True)
                picture = np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
            return picture, torch.from_numpy(cv2.LUT(picture, self._table)).permute(2, 0, 1)[None].to(self._device)
        planes = _planes(frame)
        if self._device.type == "cuda":
            planes = planes.pin_memory()  # the CPU need not wait for the upload then
        pixels = planes.to(self._device, non_blocking=True).float()
        resized = F.interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 255).round()
        picture = resized[0].permute(1, 2, 0).byte().contiguous().cpu().numpy()
        return picture, self._normalised(resized / 255.0)

    def _normalised(self, image: Tensor) -> Tensor:
        """With ImageNet's mean and deviation. image: float32 (..., 3, h, w), [0, 1]."""
        return (image - self._mean) / self._std


def _planes(frame: npt.NDArray[np.uint8]) -> Tensor:
    """uint8 (1, 3, H, W), channels last in memory."""
    # torch takes neither negative strides nor what may not be written to.
    return torch.from_numpy(np.require(frame, requirements=("C", "W"))).permute(2, 0, 1)[None]
