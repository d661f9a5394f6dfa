"""What a camera does to a scene: light, blur from motion, defocus, sensor noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from fastsam2_ros.images import RgbImage
from fastsam2_ros.lab.synthetic.textures import noise

_NOISE_SIGMA = 24.0


@dataclass(frozen=True)
class Optics:
    """How one clip is lit and filmed.

    Attributes:
        tables: uint8 (T, 256, 3), brightness and colour of the light in each frame.
        shade: uint8 (h, w) of low resolution, what the light is multiplied by / 170; larger than the frame.
        drift: (T, 2) where the frame lies on `shade`, pixels of `shade`.
        shutter: share of the time between frames (at 30 Hz) that the shutter is open.
        defocus: standard deviation, pixels.
        sigma: of the sensor's noise, grey values.
        quality: of JPEG, 0: none.
    """

    tables: npt.NDArray[np.uint8]
    shade: npt.NDArray[np.uint8] | None
    drift: npt.NDArray[np.float64]
    shutter: float
    defocus: float
    sigma: float
    quality: int


def draw_optics(rng: np.random.Generator, level: int, times: npt.NDArray[np.float64], size: tuple[int, int]) -> Optics:
    """Make up how a clip of this level is lit and filmed."""
    height, width = size
    change = (0.0, 0.0, 0.08, 0.3)[level]
    gain = np.exp(rng.normal(0, 0.16) + change * rng.uniform(-1, 1) * np.sin(times * rng.uniform(1, 5)))
    if level == 3 and rng.random() < 0.25:  # a lamp is switched
        gain = gain * np.where(times > times[-1] * rng.uniform(0.3, 0.8), np.exp(rng.uniform(-0.4, 0.4)), 1)
    tint = np.exp(rng.normal(0, 0.05, 3) + 0.25 * change * rng.normal(0, 1, 3) * np.sin(times * 2)[:, None])
    gamma = np.exp(rng.normal(0, 0.15))
    ramp = (np.arange(256) / 255.0) ** gamma * 255
    tables = np.clip(ramp[:, None] * (gain[:, None] * tint)[:, None, :], 0, 255).astype(np.uint8)
    shade, drift = None, np.zeros((len(times), 2))
    if level > 1:
        rows, columns = height // 8 + 40, width // 8 + 40
        field = noise(rng, rows, columns, rng.uniform(25, 60), 2) * rng.uniform(6, 22) + 165
        if rng.random() < 0.5:  # the shadow of something outside
            edge = np.clip(noise(rng, rows, columns, rng.uniform(20, 40), 3) * 3, 0, 1)
            field = field * (1 - rng.uniform(0.2, 0.5) * edge)
        shade = np.clip(field, 30, 255).astype(np.uint8)
        speed = rng.normal(0, 6, 2) * (level == 3)
        drift = np.clip(20 + times[:, None] * speed, 0, 39)
    return Optics(
        tables,
        shade,
        drift,
        shutter=float(rng.uniform(0.15, 0.7)) if level == 3 else 0.0,
        defocus=float(rng.uniform(0.4, 1.1)) if rng.random() < 0.35 else 0.0,
        sigma=float(rng.uniform(0.5, (3.0, 5.0, 9.0)[level - 1])),
        quality=int(rng.integers(35, 96)) if level == 3 or rng.random() < 0.3 else 0,
    )


def expose(rng: np.random.Generator, image: RgbImage, optics: Optics, frame: int) -> RgbImage:
    """The picture that the camera delivers of a scene: uint8 (H, W, 3)."""
    height, width = image.shape[:2]
    if optics.shade is not None:
        x, y = optics.drift[frame]
        matrix = np.array([[1 / 8, 0, x], [0, 1 / 8, y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        light = cv2.warpAffine(optics.shade, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        image = np.asarray(cv2.multiply(image, cv2.merge([light] * 3), scale=1 / 170), np.uint8)
    image = np.asarray(cv2.LUT(image, optics.tables[frame][None]), np.uint8)
    if optics.defocus:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), optics.defocus), np.uint8)
    bank = _noise_bank(height, width)
    top, left = rng.integers(0, bank.shape[0] - height), rng.integers(0, bank.shape[1] - width)
    grain = bank[top : top + height, left : left + width]
    image = np.asarray(
        cv2.addWeighted(image, 1, grain, optics.sigma / _NOISE_SIGMA, -128 * optics.sigma / _NOISE_SIGMA)
    )
    return compress(image, optics.quality) if optics.quality else image


def compress(image: RgbImage, quality: int) -> RgbImage:
    """As JPEG of this quality and back."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB), np.uint8)


def blur_kernel(step: npt.NDArray[np.float64], shutter: float) -> npt.NDArray[np.float32] | None:
    """A line as long as what moves by `step` (x, y pixels per frame) covers while the shutter is open; None if short."""
    line = step * shutter
    length = float(np.hypot(*line))
    if length < 1.5:
        return None
    line = line * min(1.0, 25 / length)
    reach = int(np.ceil(np.abs(line).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [tuple(round(float(value) * 16) for value in (reach + sign * line / 2)) for sign in (-1, 1)]
    canvas = np.zeros(kernel.shape, np.uint8)
    cv2.line(canvas, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    kernel[:] = canvas
    return kernel / kernel.sum()


@lru_cache(maxsize=4)
def _noise_bank(height: int, width: int) -> npt.NDArray[np.uint8]:
    """One large picture of noise around 128; each frame gets another part of it, which is much faster than new noise."""
    values = np.random.default_rng(1).standard_normal((height + 67, width + 83, 3), np.float32)
    return np.clip(values * _NOISE_SIGMA + 128, 0, 255).astype(np.uint8)
